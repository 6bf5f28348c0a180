//! The .proto files as descriptors and as Rust code. Pure Rust: nobody has to install protoc.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use prost_types::{DescriptorProto, FileDescriptorSet};
use protox::Compiler;
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};

/// The .proto file that is itself generated.
pub(super) const EVENTS: &str = "events/events.proto";

/// What is compiled; these import the rest.
const ROOTS: [&str; 2] = [EVENTS, "plugin/plugin.proto"];

pub(super) struct Compiled {
    /// A `FileDescriptorSet` with all imports and with the options of tenon/json.proto.
    pub(super) descriptors: Vec<u8>,
    /// File names and contents, one file a package.
    pub(super) rust: Vec<(String, Vec<u8>)>,
}

/// Compiles the .proto files in the folder `proto`, with `events` for the text of [`EVENTS`].
pub(super) fn compile(proto: &Path, events: &str) -> Result<Compiled> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(InMemory { events: events.to_owned() });
    resolver.add(IncludeFileResolver::new(proto.to_owned()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_files(ROOTS).context("cannot compile the .proto files")?;

    let descriptors = compiler.encode_file_descriptor_set();
    // Comments become documentation in Rust; in the descriptors nobody reads them.
    compiler.include_source_info(true);
    let rust = rust(compiler.file_descriptor_set())?;
    Ok(Compiled { descriptors, rust })
}

fn rust(mut files: FileDescriptorSet) -> Result<Vec<(String, Vec<u8>)>> {
    for file in &mut files.file {
        file.message_type.iter_mut().for_each(rename);
    }
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    prost_build::Config::new()
        .out_dir(folder.path())
        // Sorted: the same message always has the same bytes.
        .btree_map(["."])
        // Otherwise every event would be as large as the largest one.
        .boxed(".events.OneOf.Event")
        .compile_fds(files)
        .context("cannot write Rust code for the .proto files")?;

    let mut rust = Vec::new();
    for entry in fs::read_dir(folder.path()).context("cannot list the Rust code")? {
        let path = entry.context("cannot list the Rust code")?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let code = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
        rust.push((name, code));
    }
    rust.sort();
    Ok(rust)
}

/// Spells plurals so that Rust's names come out as words: `resource_ids`, not `resource_i_ds`.
fn rename(message: &mut DescriptorProto) {
    const PLURALS: [(&str, &str); 3] = [("ARNs", "Arns"), ("IDs", "Ids"), ("SANs", "Sans")];

    for field in &mut message.field {
        let name = field.name().to_owned();
        for (plural, word) in PLURALS {
            if let Some(stem) = name.strip_suffix(plural) {
                field.name = Some(format!("{stem}{word}"));
            }
        }
    }
    message.nested_type.iter_mut().for_each(rename);
}

/// Gives the compiler the new events.proto before it is on disk.
struct InMemory {
    events: String,
}

impl FileResolver for InMemory {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            EVENTS => File::from_source(name, &self.events),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}
