//! The patch in the real host.
#![allow(clippy::unwrap_used)] // a test fails loudly

use fixtures::{Host, Upstream, get, library};
use std::fs;

/// What the upstream sees of each target under `--prefix`.
fn seen(prefix: &str, targets: &[&str]) -> (Vec<String>, String) {
    let patches = tempfile::tempdir().unwrap();
    fs::copy(library("reverse-proxy-patch"), patches.path().join("reverse_proxy.so")).unwrap();
    let upstream = Upstream::echo();
    let patches = patches.path().to_str().unwrap();
    let host =
        Host::start(&["--target", &upstream.url(), "--prefix", prefix, "--patches", patches]);
    for target in targets {
        assert_eq!(get(host.address(), target, &[]).status, 200, "{target}");
    }
    (upstream.requests().into_iter().map(|request| request.target).collect(), host.log())
}

#[test]
fn the_patch_takes_the_prefix_off() {
    let targets = ["/prefix/get?a=1", "/prefix", "/prefix?a", "/prefixfoo", "/prefix/a%2Fb%20c"];
    let (seen, log) = seen("/prefix", &targets);
    assert_eq!(seen, ["/get?a=1", "/", "/?a", "/prefixfoo", "/a%2Fb%20c"]);
    assert!(log.contains("Loading patched reverse_proxy module"), "{log}");
}

#[test]
fn without_a_prefix_nothing_changes() {
    let targets = ["/get?a=1", "/", "//get"];
    assert_eq!(seen("/", &targets).0, targets);
}
