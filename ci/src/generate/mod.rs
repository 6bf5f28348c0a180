//! `cargo xtask generate`

mod compile;
mod print;
mod schema;
mod table;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use self::compile::compile;
use self::schema::Schema;
use self::table::Tables;
use crate::{cargo, step};

/// Write events.proto from proto/tables, and the Rust code and descriptors from the .proto files.
///
/// Run it after a change in proto/tables or in a .proto file, and commit what it writes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write nothing; exit 1 and name the files that differ
    #[arg(long)]
    check: bool,
}

/// A file that the generator writes.
struct Output {
    /// Below the folder `proto`.
    path: PathBuf,
    bytes: Vec<u8>,
}

/// Where only generated files are, below the folder `proto`.
const GENERATED: &str = "src/generated";

pub(crate) fn run(options: &Options) -> Result<()> {
    let proto = cargo::root().join("proto");
    let outputs = generate(&proto)?;
    let stale = stale(&proto, &outputs)?;
    if stale.is_empty() {
        step("proto: the generated files are up to date");
        return Ok(());
    }
    if options.check {
        let names: Vec<_> = stale.iter().map(|path| shown(path)).collect();
        bail!("not up to date, run `cargo xtask generate`: {}", names.join(", "));
    }
    for path in &stale {
        let output = outputs.iter().find(|output| output.path == *path);
        update(&proto, path, output).with_context(|| format!("cannot write {}", shown(path)))?;
    }
    Ok(())
}

/// Reads tables and .proto files in the folder `proto` and returns all that follows from them.
fn generate(proto: &Path) -> Result<Vec<Output>> {
    let tables = Tables::read(&proto.join("tables"))?;
    let schema = Schema::new(&tables)?;
    let events = print::proto_file(&schema);
    let compiled = compile(proto, &events)?;

    let generated = Path::new(GENERATED);
    let mut outputs = vec![
        Output { path: compile::EVENTS.into(), bytes: events.into_bytes() },
        Output { path: generated.join("cases.rs"), bytes: print::cases(&schema).into_bytes() },
        Output { path: generated.join("descriptors.bin"), bytes: compiled.descriptors },
    ];
    for (name, code) in compiled.rust {
        outputs.push(Output { path: generated.join(name), bytes: code });
    }
    Ok(outputs)
}

/// The files that differ from `outputs`, and those that the generator no longer writes.
fn stale(proto: &Path, outputs: &[Output]) -> Result<Vec<PathBuf>> {
    let mut stale = Vec::new();
    for Output { path, bytes } in outputs {
        // One that cannot be read is written anew, which says what is wrong with it.
        if fs::read(proto.join(path)).ok().as_ref() != Some(bytes) {
            stale.push(path.clone());
        }
    }
    let Ok(entries) = fs::read_dir(proto.join(GENERATED)) else { return Ok(stale) };
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", shown(GENERATED.as_ref())))?;
        let path = Path::new(GENERATED).join(entry.file_name());
        if !outputs.iter().any(|output| output.path == path) {
            stale.push(path);
        }
    }
    Ok(stale)
}

/// Makes the file what `output` says, and removes it if there is none.
fn update(proto: &Path, path: &Path, output: Option<&Output>) -> io::Result<()> {
    let file = proto.join(path);
    let Some(output) = output else {
        step(&format!("removing {}", shown(path)));
        return fs::remove_file(file);
    };
    step(&format!("writing {}", shown(path)));
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, &output.bytes)
}

fn shown(path: &Path) -> String {
    Path::new("proto").join(path).display().to_string()
}
