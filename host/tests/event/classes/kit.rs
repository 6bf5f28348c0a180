//! Compiles a file against the AssemblyScript kit as it is in this repository.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// The module of `assembly/main.ts` with this text.
pub(super) fn compile(source: &str) -> Vec<u8> {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../event-sdk/assemblyscript");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for made in ["assembly", "vendor", "build"] {
        fs::create_dir(folder.join(made)).unwrap();
    }
    for file in fs::read_dir(kit.join("vendor")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.join("vendor").join(file.file_name())).unwrap();
    }
    let classes = host::vendor::assemblyscript_classes().unwrap();
    fs::write(folder.join("vendor/teleport.ts"), classes).unwrap();
    fs::write(folder.join("assembly/main.ts"), source).unwrap();
    fs::copy(kit.join("template/asconfig.json"), folder.join("asconfig.json")).unwrap();
    symlink(fixtures::node_modules(), folder.join("node_modules")).unwrap();

    let asc = Command::new("node_modules/.bin/asc")
        .current_dir(folder)
        .arg("assembly/main.ts")
        .args(["--config", "asconfig.json", "--target", "test"])
        // All classes at once: to optimise them takes half a minute.
        .arg("-O0")
        .output()
        .unwrap();
    assert!(asc.status.success(), "{}", String::from_utf8_lossy(&asc.stderr));
    fs::read(folder.join("build/test.wasm")).unwrap()
}
