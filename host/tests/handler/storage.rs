//! The folder of what is kept between runs: which it is, and whose it must be.

use crate::kit::{Scene, handler};
use fake_teleport::World;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Compiled code in it is run as it is found.
#[test]
fn a_folder_that_others_may_write_in_is_refused_unless_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let (source, storage) = (folder.path().join("events.ndjson"), folder.path().join("state"));
    fs::write(&source, "").unwrap();
    let (source, state) = (source.to_str().unwrap(), storage.to_str().unwrap());
    let args = ["start", "--source", source, "--sink", "stdout", "--storage", state];
    let run = |more: &[&str]| handler(&[&args[..], more].concat());
    let first = run(&[]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let of_source = fs::read_dir(&storage).unwrap().next().unwrap().unwrap().path();
    let ours = of_source.join(".tenon");
    chmod(&ours, 0o777);
    let refused = run(&[]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    for text in ["other users may write in the folder", "choose one of your own with --storage"] {
        assert!(refused.stderr.contains(text), "{text}: {}", refused.stderr);
    }
    let allowed = run(&["--allow-world-writable"]);
    assert_eq!(allowed.code, Some(0), "{}", allowed.stderr);
    // Not of the code: that is the host's own in any case.
    chmod(&ours.join("wasm-cache"), 0o777);
    let refused = run(&["--allow-world-writable"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("wasm-cache"), "{}", refused.stderr);
}

#[test]
fn it_is_one_folder_however_the_port_is_written() {
    let scene = Scene::new(World::new(1, 1, 10), "");
    let addr = format!("--teleport-addr=127.0.0.1:0{}", scene.fake.address().port());
    scene.all(&[&addr]);
    assert!(scene.state().join(".tenon").is_dir());
    assert_eq!(fs::read_dir(scene.path("state")).unwrap().count(), 1);
}
