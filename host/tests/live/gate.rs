//! That nobody is let in because a file is gone, replaced, or brought back.

use crate::kit::{Running, marked, put};
use fixtures::{Upstream, get, library};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder with the authenticator as a patch.
fn patched() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("patches")).unwrap();
    let file = folder.path().join("patches/authenticator.so");
    fs::copy(library("doorkeeper"), &file).unwrap();
    (folder, file)
}

/// The status for who says nothing of who he is.
fn stranger(it: &Running) -> u16 {
    let reply = get(it.host.address(), "/", &[]);
    assert_eq!(get(it.host.address(), "/", &[("x-user", "ann")]).status, 200);
    reply.status
}

#[test]
fn a_patch_that_is_removed_opens_the_door_only_when_the_user_asks() {
    let (folder, file) = patched();
    let it = Running::with(folder, Upstream::echo(), Vec::new());
    assert_eq!(stranger(&it), 401);
    fs::remove_file(&file).unwrap();
    let line = it.host.wait_for_log("reload refused, what is in use stays: ");
    assert!(line.contains("the patch of authenticator is gone, and then nobody"), "{line}");
    assert_eq!(stranger(&it), 401);
    // It does not stand in the way of others.
    put(&it.file("patches/reverse_proxy.so"), &marked("marked-patch", 1));
    it.until_logged("Loading patched reverse_proxy module", 1);
    assert_eq!(stranger(&it), 401);
    let said = it.told(&["reload"]);
    assert!(said.contains("nobody has to log in any more"), "{said}");
    assert!(it.logged("WARN") > 0 && stranger(&it) == 200, "{}", it.host.log());
}

/// Nobody comes in who is not asked: the user of the configuration is.
#[test]
fn without_its_patch_the_built_in_asks_for_the_user_of_the_configuration() {
    let (folder, file) = patched();
    let flags = ["--basic-user=bob", "--basic-password=secret"].map(str::to_owned);
    let it = Running::with(folder, Upstream::echo(), flags.to_vec());
    let bob = [("authorization", "Basic Ym9iOnNlY3JldA==")];
    let status = |headers: &[(&str, &str)]| get(it.host.address(), "/", headers).status;
    assert_eq!((status(&[]), status(&bob), status(&[("x-user", "ann")])), (401, 401, 200));
    fs::remove_file(&file).unwrap();
    it.host.wait_for_log("reloaded: the patch of authenticator");
    assert_eq!((status(&[]), status(&bob), status(&[("x-user", "ann")])), (401, 200, 401));
}

#[test]
fn a_restart_by_itself_opens_no_door() {
    let (folder, file) = patched();
    let it = Running::with(folder, Upstream::echo(), vec!["--no-watch".to_owned()]);
    fs::remove_file(&file).unwrap();
    let said = it.declined(&["restart"]);
    assert!(said.contains("nobody would have to log in"), "{said}");
    assert_eq!(stranger(&it), 401);
}

#[test]
fn after_a_kill_the_authenticator_is_there_although_its_file_is_gone() {
    let (folder, file) = patched();
    let it = Running::with(folder, Upstream::echo(), Vec::new());
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    fs::remove_file(&file).unwrap();
    let it = it.again();
    assert_eq!(stranger(&it), 401);
    it.host.wait_for_log("what was in use before is used");
    // Without the copy there is nothing to start with.
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    fs::remove_dir_all(it.file("state/plugins")).unwrap();
    let output = it.fails_again();
    assert!(output.stderr.contains("nobody would have to log in"), "{output:?}");
}

#[test]
fn after_a_kill_a_user_who_is_not_asked_for_any_more_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("host.toml");
    fs::write(&config, "basic-user = 'ann'\nbasic-password = 'secret'\n").unwrap();
    let config = format!("--config={}", config.display());
    let it = Running::with(folder, Upstream::echo(), vec![config]);
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    fs::write(it.file("host.toml"), "").unwrap();
    let output = it.fails_again();
    assert!(output.stderr.contains("remove plugins.json"), "{output:?}");
}

#[test]
fn a_patch_that_has_a_table_must_be_there() {
    let (folder, file) = patched();
    fs::write(folder.path().join("host.toml"), "[patches.authenticator]\nslow = '1s'\n").unwrap();
    let config = format!("--config={}", folder.path().join("host.toml").display());
    let it = Running::with(folder, Upstream::echo(), vec![config, "--no-watch".to_owned()]);
    assert_eq!(stranger(&it), 401);
    fs::remove_file(&file).unwrap();
    let said = it.declined(&["reload"]);
    assert!(said.contains("has [patches.authenticator], and there is no "), "{said}");
    assert_eq!(stranger(&it), 401);
    assert!(it.host.stop().success());
    let output = it.fails_again();
    assert!(output.stderr.contains("has [patches.authenticator]"), "{output:?}");
}

#[test]
fn a_pre_plugin_that_authenticates_no_more_is_refused_until_it_is_not_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("door.so");
    fs::copy(library("doorkeeper"), &file).unwrap();
    let plugin = format!("[[pre-plugin]]\npath = '{}'\n", file.display());
    fs::write(folder.path().join("host.toml"), plugin).unwrap();
    let config = format!("--config={}", folder.path().join("host.toml").display());
    let it = Running::with(folder, Upstream::echo(), vec![config]);
    assert_eq!(stranger(&it), 401);
    put(&file, &marked("marked", 1));
    it.host.wait_for_log("registers no authenticator any more");
    assert!(it.declined(&["reload"]).contains("registers no authenticator any more"));
    assert_eq!(stranger(&it), 401);
    fs::write(it.file("host.toml"), "").unwrap();
    it.told(&["reload"]);
    assert_eq!(stranger(&it), 200);
}

/// The same file, whose other configuration has it register something else.
#[test]
fn a_configuration_that_ends_an_authenticator_opens_no_door() {
    let folder = tempfile::tempdir().unwrap();
    let path = library("misbehaves").display().to_string();
    let config = |part: &str| format!("[[pre-plugin]]\npath = '{path}'\nconfig.part = '{part}'\n");
    fs::write(folder.path().join("host.toml"), config("authenticator")).unwrap();
    let flag = format!("--config={}", folder.path().join("host.toml").display());
    let it = Running::with(folder, Upstream::echo(), vec![flag]);
    assert_eq!(stranger(&it), 401);
    fs::write(it.file("host.toml"), config("middleware")).unwrap();
    let said = it.declined(&["reload"]);
    assert!(said.contains("registers no authenticator any more"), "{said}");
    assert_eq!(stranger(&it), 401);
}

#[test]
fn a_rollback_opens_no_door() {
    let it = Running::start(&["--no-watch"]);
    fs::create_dir(it.file("patches")).unwrap();
    fs::copy(library("doorkeeper"), it.file("patches/authenticator.so")).unwrap();
    it.told(&["reload"]);
    assert_eq!(stranger(&it), 401);
    let said = it.declined(&["rollback"]);
    assert!(said.contains("nobody would have to log in afterwards"), "{said}");
    assert_eq!(stranger(&it), 401);
}
