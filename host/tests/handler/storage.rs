//! The folder of what is kept between runs: which it is, and whose it must be.

use crate::kit::{Scene, handler};
use fake_teleport::World;
use fixtures::guest;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Compiled code is run as it is found. Volumes that a group shares are common, and no reason not to start.
#[test]
fn where_others_may_write_no_compiled_code_is_kept() {
    let plugin = guest("rust", "pass");
    let folder = tempfile::tempdir().unwrap();
    let (source, storage) = (folder.path().join("events.ndjson"), folder.path().join("state"));
    fs::write(&source, "").unwrap();
    let (source, state) = (source.to_str().unwrap(), storage.to_str().unwrap());
    let plugin = plugin.to_str().unwrap();
    let args = ["start", "--source", source, "--sink", "stdout", "--storage", state];
    let args = [&args[..], &["--wasm-plugin", plugin]].concat();
    let run = |more: &[&str]| {
        let output = handler(&[&args[..], more].concat());
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        output.stderr
    };
    let warning = "plugins are compiled at each start";
    assert!(!run(&[]).contains(warning));
    let of_source = fs::read_dir(&storage).unwrap().next().unwrap().unwrap().path();
    let ours = of_source.join(".tenon");
    assert!(ours.join("wasm-cache/code").read_dir().unwrap().next().is_some(), "it is kept");
    chmod(&ours, 0o770);
    let log = run(&[]);
    assert!(log.contains(warning) && log.contains("other users may write in the folder"), "{log}");
    assert!(!run(&["--allow-world-writable"]).contains(warning));
    // What is in it is the host's own in any case.
    chmod(&ours.join("wasm-cache"), 0o770);
    let log = run(&["--allow-world-writable"]);
    assert!(log.contains(warning) && log.contains("wasm-cache"), "{log}");
}

/// Without a plugin there is no code.
#[test]
fn a_folder_of_a_group_s_is_as_good_as_any() {
    let scene = Scene::new(World::new(1, 1, 10), "");
    scene.all(&[]);
    chmod(&scene.state().join(".tenon"), 0o2770);
    let host = scene.all(&[]);
    assert!(!host.log().contains("WARN"), "{}", host.log());
    assert!(!scene.state().join(".tenon/wasm-cache").exists());
}

#[test]
fn it_is_one_folder_however_the_port_is_written() {
    let scene = Scene::new(World::new(1, 1, 10), "");
    let addr = format!("--teleport-addr=127.0.0.1:0{}", scene.fake.address().port());
    scene.all(&[&addr]);
    assert!(scene.state().join(".tenon").is_dir());
    assert_eq!(fs::read_dir(scene.path("state")).unwrap().count(), 1);
}
