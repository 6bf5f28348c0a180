//! What a trust file with keys makes of copies, reloads and files that change.

use crate::kit::{Running, marked, plugin, put};
use fixtures::{Launch, Upstream};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Runs a command in a folder, which must succeed.
fn run(folder: &Path, args: &[&str]) {
    let output = Launch::new(args).directory(folder).run();
    assert_eq!(output.code, Some(0), "{args:?}: {output:?}");
}

/// Puts a version of the plugin there, with its signature, which is there first.
fn put_signed(folder: &Path, mark: u32) {
    let bytes = marked("marked", mark);
    let beside = folder.join("next.so");
    fs::write(&beside, &bytes).unwrap();
    run(folder, &["sign", "--key", "release.key", "next.so"]);
    fs::rename(folder.join("next.so.minisig"), folder.join("a.so.minisig")).unwrap();
    put(&folder.join("a.so"), &bytes);
    fs::remove_file(beside).unwrap();
}

/// A folder with a key that is trusted, and a plugin that it has signed.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["sign", "--generate", "--no-password", "--key", "release.key"]);
    run(folder.path(), &["trust", "add", "release.pub", "--plugin-trust=trust"]);
    put_signed(folder.path(), 1);
    folder
}

fn start(folder: TempDir, flags: &[&str]) -> Running {
    let path = |name: &str| folder.path().join(name);
    let mut args =
        vec![format!("--plugin-trust={}", path("trust").display()), plugin(&path("a.so"), "a")];
    args.extend(flags.iter().map(|flag| (*flag).to_owned()));
    Running::with(folder, Upstream::echo(), args)
}

#[test]
fn a_copy_is_trusted_by_the_signature_that_it_came_with() {
    let it = start(folder(), &["--no-watch"]);
    put_signed(it.folder.path(), 2);
    it.told(&["reload"]);
    it.told(&["rollback"]);
    assert_eq!(it.mark().mark, 1);
    // The signature beside the file is that of the version that was rolled back.
    assert!(it.host.stop().success());
    let it = it.again();
    assert_eq!(it.mark().mark, 1);
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    put(&it.file("a.so"), b"broken");
    let it = it.again();
    assert_eq!(it.mark().mark, 1);
    // And it is trusted no longer than its key is.
    assert!(it.host.stop().success());
    fs::write(it.file("trust"), "# nobody\n").unwrap();
    let output = it.fails_again();
    assert!(output.stderr.contains("it is not trusted"), "{output:?}");
}

#[test]
fn what_is_trusted_no_more_stops_a_reload_and_the_reason_is_told() {
    let it = start(folder(), &["--no-watch"]);
    it.told(&["reload"]);
    fs::write(it.file("trust"), "# nobody\n").unwrap();
    let said = it.declined(&["reload"]);
    assert!(said.contains("a.so: refused: it is not trusted any more: "), "{said}");
    assert_eq!(it.mark().mark, 1);
    run(it.folder.path(), &["trust", "add", "release.pub", "--plugin-trust=trust"]);
    it.told(&["reload"]);
}

#[test]
fn a_signature_that_comes_later_is_noticed() {
    let it = start(folder(), &[]);
    assert_eq!(it.mark().mark, 1);
    // The plugin first, as `cp` of two files does.
    let bytes = marked("marked", 2);
    put(&it.file("a.so"), &bytes);
    it.until_logged("reload refused", 1);
    fs::write(it.file("next.so"), &bytes).unwrap();
    run(it.folder.path(), &["sign", "--key", "release.key", "next.so"]);
    fs::rename(it.file("next.so.minisig"), it.file("a.so.minisig")).unwrap();
    it.until_mark(2);
    // Or the key.
    put(&it.file("a.so"), &marked("marked", 3));
    it.until_logged("reload refused", 2);
    run(it.folder.path(), &["trust", "add", "a.so", "--plugin-trust=trust"]);
    it.until_mark(3);
}
