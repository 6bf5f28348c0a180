//! `cargo xtask generate`

mod compile;
mod print;
mod schema;
mod table;
#[cfg(test)]
mod tests;

use std::fs;
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
    path: PathBuf,
    bytes: Vec<u8>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let proto = cargo::root().join("proto");
    let outputs = generate(&proto)?;
    let stale = stale(&proto, &outputs)?;
    if stale.is_empty() {
        step("proto: the generated files are up to date");
        return Ok(());
    }
    if options.check {
        let names: Vec<_> = stale.iter().map(|path| path.display().to_string()).collect();
        bail!("not up to date, run `cargo xtask generate`: {}", names.join(", "));
    }
    write(&outputs, &stale)
}

/// Reads tables and .proto files in the folder `proto` and returns all that follows from them.
fn generate(proto: &Path) -> Result<Vec<Output>> {
    let tables = Tables::read(&proto.join("tables"))?;
    let schema = Schema::new(&tables)?;
    let events = print::proto_file(&schema);
    let compiled = compile(proto, &events)?;

    let generated = generated(proto);
    let mut outputs = vec![
        Output { path: proto.join(compile::EVENTS), bytes: events.into_bytes() },
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
    let changed =
        outputs.iter().filter(|output| fs::read(&output.path).ok().as_ref() != Some(&output.bytes));
    let mut stale: Vec<_> = changed.map(|output| output.path.clone()).collect();

    let folder = generated(proto);
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(stale) };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if !outputs.iter().any(|output| output.path == path) {
            stale.push(path);
        }
    }
    stale.sort();
    Ok(stale)
}

fn write(outputs: &[Output], stale: &[PathBuf]) -> Result<()> {
    for path in stale {
        let Some(output) = outputs.iter().find(|output| output.path == *path) else {
            step(&format!("removing {}", path.display()));
            fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
            continue;
        };
        step(&format!("writing {}", path.display()));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(path, &output.bytes)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn generated(proto: &Path) -> PathBuf {
    proto.join("src/generated")
}
