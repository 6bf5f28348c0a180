//! The patches folder of a running host.

use crate::kit::{Running, marked, put};
use fixtures::{get, library};
use std::fs;

/// What the patch has told the upstream.
fn patch(it: &Running) -> Option<String> {
    assert_eq!(get(it.host.address(), "/", &[]).status, 200, "{}", it.host.log());
    it.upstream.last().header("x-patch").map(str::to_owned)
}

#[test]
fn a_patch_comes_is_replaced_and_goes() {
    let it = Running::start(&[]);
    assert_eq!(patch(&it), None);
    // The folder that is looked at by default need not be there to begin with.
    fs::create_dir(it.file("patches")).unwrap();
    let file = it.file("patches/reverse_proxy.so");
    put(&file, &marked("marked-patch", 1));
    it.until("the patch", || patch(&it).as_deref() == Some("00001"));
    assert_eq!(it.plugin("reverse_proxy")["replaces"], "reverse_proxy");
    put(&file, &marked("marked-patch", 2));
    it.until("the new patch", || patch(&it).as_deref() == Some("00002"));
    fs::remove_file(&file).unwrap();
    it.until("the built-in", || patch(&it).is_none());
    it.host.wait_for_log("the patch of reverse_proxy (marked-patch 0.1.0 (");
    assert_eq!(it.plugin("reverse_proxy")["kind"], "builtin");
    assert_eq!(it.status()["past"][0]["name"], "marked-patch");
}

#[test]
fn the_readme_s_walkthrough_works_without_a_restart() {
    let it = Running::start(&["--prefix=/prefix"]);
    let target = || {
        assert_eq!(get(it.host.address(), "/prefix/get", &[]).status, 200);
        it.upstream.last().target
    };
    assert_eq!(target(), "/prefix/get");
    fs::create_dir(it.file("patches")).unwrap();
    fs::copy(library("reverse-proxy-patch"), it.file("patches/reverse_proxy.so")).unwrap();
    it.until("the prefix to be taken off", || target() == "/get");
    it.host.wait_for_log("Loading patched reverse_proxy module");
}

#[test]
fn a_patch_that_is_none_is_refused_and_named() {
    let it = Running::start(&[]);
    fs::create_dir(it.file("patches")).unwrap();
    let file = it.file("patches/reverse_proxy.so");
    put(&file, &marked("marked-patch", 1));
    it.until("the patch", || patch(&it).is_some());
    let unknown = it.file("patches/reverse_prxy.so");
    put(&unknown, &marked("marked-patch", 2));
    let line = it.host.wait_for_log("there is no patch point of that name");
    assert!(line.contains("reload refused, what is in use stays: "), "{line}");
    fs::remove_file(&unknown).unwrap();
    put(&it.file("patches/error_page.so"), &marked("marked-patch", 3));
    it.host.wait_for_log("error_page.so: it registers no error_page");
    assert_eq!(patch(&it).as_deref(), Some("00001"));
    // Refused, it does not stand in the way of others.
    put(&file, &marked("marked-patch", 4));
    it.until("the other patch", || patch(&it).as_deref() == Some("00004"));
}
