//! Puts into the program what `host new` and `host vendor` write: the repository's own kits and
//! examples, as a table of paths and contents.
// A build that fails, with its reason.
#![allow(clippy::expect_used, clippy::panic)]

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Files and folders, from the root of the repository. Cargo looks at all that is in a folder, even
/// what is left out here: so none that others build in.
const SOURCES: [&str; 30] = [
    "Cargo.toml",
    "event-sdk/Cargo.toml",
    "event-sdk/README.md",
    "event-sdk/assemblyscript/README.md",
    "event-sdk/assemblyscript/template",
    "event-sdk/assemblyscript/vendor",
    "event-sdk/c/README.md",
    "event-sdk/c/template",
    "event-sdk/c/tenon_event.h",
    "event-sdk/src",
    "fixtures/events",
    "plugin-interface/Cargo.toml",
    "plugin-interface/build.rs",
    "plugin-interface/src",
    "plugins/event/assemblyscript",
    "plugins/event/c",
    "plugins/event/rust/Cargo.lock",
    "plugins/event/rust/Cargo.toml",
    "plugins/event/rust/change",
    "plugins/event/rust/count",
    "plugins/event/rust/dump",
    "plugins/event/rust/skip",
    "plugins/starters/Cargo.lock",
    "plugins/starters/Cargo.toml",
    "plugins/starters/patch",
    "plugins/starters/post",
    "plugins/starters/pre",
    "plugins/starters/tests",
    "proto/Cargo.toml",
    "proto/src",
];

fn main() {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).expect("cargo runs this");
    let root = package.parent().expect("the package is in the repository");
    let mut files = Vec::new();
    for source in SOURCES.map(|source| root.join(source)) {
        println!("cargo::rerun-if-changed={}", source.display());
        add(source, &mut files);
    }
    files.sort();
    let mut table = "&[\n".to_owned();
    for file in files {
        let path = file.strip_prefix(root).expect("it is in the repository");
        let [path, file] = [path, &file].map(|it| it.to_str().expect("paths are in UTF-8"));
        let _ = writeln!(table, "    ({path:?}, include_bytes!({file:?})),");
    }
    table.push_str("]\n");
    let out = env::var_os("OUT_DIR").map(PathBuf::from).expect("cargo runs this");
    fs::write(out.join("embedded.rs"), table).expect("cargo's folder can be written");
}

fn add(path: PathBuf, files: &mut Vec<PathBuf>) {
    let kind = fs::symlink_metadata(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
        .file_type();
    if kind.is_file() {
        files.push(path);
    } else if kind.is_dir() {
        let entries = fs::read_dir(&path).expect("the folder can be read");
        for entry in entries.map(|entry| entry.expect("the folder can be read").path()) {
            if !is_left_out(&entry) {
                add(entry, files);
            }
        }
    }
}

/// Hidden files, and what a build or `host vendor` has made.
fn is_left_out(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || ["build", "node_modules", "target", "vendor"].contains(&&*name)
}
