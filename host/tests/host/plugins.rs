//! How plugins are given: by path or name, with a configuration, several times, and where their
//! copies are.

use crate::{assert_ends, folder_of};
use fixtures::{Host, Launch, Upstream, get, library};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const TARGET: &str = "--target=http://127.0.0.1:1";

#[test]
fn a_plugin_is_found_by_its_name() {
    let upstream = Upstream::echo();
    let target = format!("--target={}", upstream.url());
    let folder = folder_of(&[("libpre_plugin.so", &library("pre-plugin"))]);
    let dir = format!("--plugin-dir={}", folder.path().display());
    for name in ["pre-plugin", "pre_plugin", "libpre_plugin.so"] {
        let host = Host::start(&[&target, "--plugin-dir=/nowhere", &dir, "--pre-plugin", name]);
        assert_eq!(get(host.address(), "/", &[]).status, 200);
        assert!(upstream.last().header("x-trace-id").is_some(), "{name}");
    }
    let tried = format!("there is no nope, {}/libnope.so", folder.path().display());
    let output = Host::fails(&[TARGET, &dir, "--pre-plugin=nope"]);
    assert_ends(&output, 1, &["no plugin \"nope\": ", &tried]);
    // A path means what it says.
    let output = Host::fails(&[TARGET, &dir, "--pre-plugin=./pre-plugin"]);
    assert_ends(&output, 1, &["no plugin \"./pre-plugin\": there is no ./pre-plugin"]);
}

#[test]
fn without_a_folder_plugins_are_found_in_plugins() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("plugins")).unwrap();
    fs::copy(library("pre-plugin"), folder.path().join("plugins/mine.so")).unwrap();
    let args = [format!("--target={}", upstream.url()), "--pre-plugin=mine".to_owned()];
    let host = Launch::new(&args).directory(folder.path()).start();
    assert_eq!(get(host.address(), "/", &[]).status, 200);
    assert!(upstream.last().header("x-trace-id").is_some());
}

#[test]
fn a_plugin_gets_the_configuration_behind_its_name() {
    let upstream = Upstream::echo();
    let target = format!("--target={}", upstream.url());
    let filter = library("ip-filter-plugin").display().to_string();
    let status = |config: &str| {
        let host = Host::start(&[&target, "--pre-plugin", &format!("{filter}={config}")]);
        get(host.address(), "/", &[]).status
    };
    assert_eq!(status(r#"{"allow": ["127.0.0.0/8"]}"#), 200);
    assert_eq!(status(r#"{"deny": ["127.0.0.0/8"]}"#), 403);
    let plugin = format!("{filter}={{\"alow\": []}}");
    let output = Host::fails(&[TARGET, "--post-plugin", &plugin]);
    let words = "the POST plugin is not usable: ";
    assert_ends(&output, 1, &[words, &filter, "it could not register: ", "alow"]);
}

#[test]
fn the_same_plugin_may_be_used_several_times() {
    let upstream = Upstream::echo();
    let target = format!("--target={}", upstream.url());
    let shares = library("shares").display().to_string();
    let args = ["--pre-plugin", &shares, "--pre-plugin", &shares, "--post-plugin", &shares];
    let host = Host::start(&[&[target.as_str()], &args[..]].concat());
    let reply = get(host.address(), "/", &[]);
    assert_eq!((reply.status, reply.values("x-slot").len()), (200, 3), "{}", host.log());
}

#[test]
fn what_is_loaded_is_a_copy_in_the_state_folder() {
    let upstream = Upstream::echo();
    let folder = folder_of(&[("mine.so", &library("pre-plugin"))]);
    let file = folder.path().join("mine.so");
    let args = ["--target", &upstream.url(), "--pre-plugin", &file.display().to_string()];
    let host = Host::start(&args);
    let copies = host.state().join("plugins");
    assert_eq!(fs::read_dir(copies).unwrap().count(), 1);
    // Overwriting a file that is mapped would crash the process.
    fs::write(&file, "not a library any more").unwrap();
    assert_eq!(get(host.address(), "/", &[]).status, 200);
}

#[test]
fn a_state_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::write(&state, "a file").unwrap();
    let plugin = library("pre-plugin").display().to_string();
    let args = [TARGET, "--state", state.to_str().unwrap(), "--pre-plugin", &plugin];
    let no_folder = format!("{} is no folder: move it", state.display());
    assert_ends(&Host::fails(&args), 1, &[&no_folder]);
    // Who may write there decides what code runs.
    fs::remove_file(&state).unwrap();
    fs::create_dir_all(state.join("plugins")).unwrap();
    fs::set_permissions(state.join("plugins"), fs::Permissions::from_mode(0o777)).unwrap();
    let path = state.join("plugins").display().to_string();
    let others = format!("other users may write in the folder {path}");
    assert_ends(&Host::fails(&args), 1, &[&others, &format!("run chmod go-w {path}")]);
}
