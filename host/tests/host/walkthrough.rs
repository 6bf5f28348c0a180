//! The walkthrough of the README: plugins around authentication, the prefix bug and its patch.

use crate::{assert_ends, basic, folder_of, jwt};
use fixtures::{Host, Launch, Upstream, get, library};
use serde_json::Value;
use std::fs;

#[test]
fn pre_authentication_and_post_show_at_the_upstream() {
    let echo = Host::echo();
    let (pre, post) = (library("pre-plugin"), library("post-plugin"));
    let host = Host::start(&[
        &format!("--target={}", echo.url("")),
        "--prefix=/",
        &format!("--pre-plugin={}", pre.display()),
        &format!("--post-plugin={}", post.display()),
        "--basic-user=test",
        "--basic-password=test",
    ]);
    let credentials = basic("test:test");
    let seen = || -> Value {
        let headers = [("Authorization", credentials.as_str()), ("X-Trace-Id", "mine")];
        let reply = get(host.address(), "/get?a=1", &headers);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
        serde_json::from_slice(&reply.body).unwrap()
    };
    let (first, second) = (seen(), seen());
    let headers = &first["headers"];
    assert_eq!(headers["Username"], "test", "{first:#}");
    assert_eq!(headers.get("Authorization"), None, "{first:#}");
    assert_eq!(headers["X-Forwarded-For"], "127.0.0.1", "{first:#}");
    assert_eq!((&first["args"]["a"], &first["method"]), (&"1".into(), &"GET".into()), "{first:#}");
    assert_eq!(first["url"], format!("{}?a=1", echo.url("/get")), "{first:#}");
    let trace = |seen: &Value| seen["headers"]["X-Trace-Id"].as_str().unwrap().to_owned();
    assert_ne!(trace(&first), "mine");
    assert_ne!(trace(&first), trace(&second), "each request has an id of its own");
    assert_eq!(get(host.address(), "/get", &[]).status, 401);
    assert!(host.stop().success() && echo.stop().success());
}

#[test]
fn the_built_in_keeps_the_prefix_and_the_patch_takes_it_off() {
    let upstream = Upstream::echo();
    let target = format!("--target={}", upstream.url());
    let seen = |host: &Host, path: &str| {
        assert_eq!(get(host.address(), path, &[]).status, 200);
        upstream.last().target
    };
    let host = Host::start(&[&target, "--prefix=/prefix"]);
    assert_eq!(seen(&host, "/prefix/get"), "/prefix/get");
    assert!(!host.log().contains("Loading patched"), "{}", host.log());

    let patch = library("reverse-proxy-patch");
    for name in ["reverse_proxy.so", "libreverse_proxy.so", "reverse-proxy.so"] {
        let patches = folder_of(&[(name, &patch)]);
        let folder = format!("--patches={}", patches.path().display());
        let host = Host::start(&[&target, "--prefix=/prefix", &folder]);
        host.wait_for_log("Loading patched reverse_proxy module");
        assert_eq!(seen(&host, "/prefix/get?q=%2F"), "/get?q=%2F", "{name}");
        assert_eq!(seen(&host, "/prefixes"), "/prefixes", "{name}");
    }
}

/// The default folder is `patches` where the host is started, and need not be there.
#[test]
fn what_lies_in_the_default_folder_is_loaded() {
    let upstream = Upstream::echo();
    let patches = tempfile::tempdir().unwrap();
    fs::create_dir(patches.path().join("patches")).unwrap();
    let to = patches.path().join("patches/reverse_proxy.so");
    fs::copy(library("reverse-proxy-patch"), to).unwrap();
    let args = [format!("--target={}", upstream.url()), "--prefix=/p".to_owned()];
    let host = Launch::new(&args).directory(patches.path()).start();
    host.wait_for_log("Loading patched reverse_proxy module");
    assert_eq!(get(host.address(), "/p/a", &[]).status, 200);
    assert_eq!(upstream.last().target, "/a");
}

/// The start of a host with this patches folder, which must fail.
fn refused(folder: &std::path::Path, parts: &[&str]) {
    let folder = format!("--patches={}", folder.display());
    assert_ends(&Host::fails(&["--target=http://127.0.0.1:1", &folder]), 1, parts);
}

#[test]
fn a_patches_folder_with_a_mistake_stops_the_start() {
    let patch = library("reverse-proxy-patch");
    let unknown = folder_of(&[("reverse_prxy.so", &patch)]);
    let points = "the points are reverse_proxy, authenticator, error_page";
    refused(unknown.path(), &["reverse_prxy.so: there is no patch point of that name", points]);

    let twice = folder_of(&[("reverse_proxy.so", &patch), ("reverse-proxy.so", &patch)]);
    refused(twice.path(), &["both replace reverse_proxy; remove one", "reverse-proxy.so"]);

    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let unreadable = format!("the patches folder {} cannot be read", missing.display());
    refused(&missing, &[&unreadable]);
    fs::write(&missing, "a file").unwrap();
    refused(&missing, &[&unreadable, "Not a directory"]);
}

#[test]
fn a_patches_folder_that_may_not_be_read_stops_the_start() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(folder.path()).is_ok() {
        eprintln!("skipped: this user, root perhaps, may read every folder");
        return;
    }
    refused(folder.path(), &["cannot be read", "Permission denied"]);
}

#[test]
fn a_patch_that_does_not_load_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("error_page.so");
    fs::write(&file, "not a library").unwrap();
    let parts = ["the patch of error_page is not usable", "error_page.so: refused: it is not a"];
    refused(folder.path(), &parts);

    let broken = folder_of(&[("authenticator.so", &library("panics-in-register"))]);
    let parts = ["the patch of authenticator is not usable", "it panicked in register"];
    refused(broken.path(), &parts);
}

#[test]
fn a_library_in_a_place_that_is_not_for_it_stops_the_start() {
    let patch = library("reverse-proxy-patch");
    let middleware = library("noop-plugin");
    let misplaced = folder_of(&[("error_page.so", &patch)]);
    refused(misplaced.path(), &["error_page.so: it registers no error_page"]);
    let misplaced = folder_of(&[("authenticator.so", &middleware)]);
    refused(misplaced.path(), &["authenticator.so: it must register one authenticator"]);
    let misplaced = folder_of(&[("reverse_proxy.so", &middleware)]);
    refused(misplaced.path(), &["reverse_proxy.so: it registers no reverse_proxy"]);

    let fails = |flag: &str, plugin: &str, parts: &[&str]| {
        let output = Host::fails(&["--target=http://127.0.0.1:1", flag, plugin]);
        assert_ends(&output, 1, parts);
    };
    let patch = patch.display().to_string();
    for flag in ["--pre-plugin", "--post-plugin"] {
        let what = "it registers a patch; put it into the patches folder";
        fails(flag, &patch, &[&patch, what]);
    }
    let keys = tempfile::tempdir().unwrap();
    let what = "it registers an authenticator; use it with --pre-plugin";
    fails("--post-plugin", &jwt(&keys), &["libjwt.so: ", what]);
}
