//! Host and plugin need not be built by the same compiler, nor in the same way.

use crate::{header_seen, with_plugins};
use fixtures::{Build, Host, Upstream, get, library_with};
use std::path::Path;
use std::process::Command;

const WAYS: [(Option<&str>, bool); 4] =
    [(None, false), (None, true), (Some("nightly"), false), (Some("nightly"), true)];

fn set_header(toolchain: Option<&'static str>, release: bool) -> std::path::PathBuf {
    library_with("set-header", &Build { toolchain, release, ..Build::default() })
}

/// Says so where a toolchain is missing: a test that is silent about it proves less than it seems.
fn installed(toolchain: Option<&str>) -> bool {
    let Some(toolchain) = toolchain else { return true };
    let list = Command::new("rustup").args(["toolchain", "list"]).output();
    let there = list.is_ok_and(|list| String::from_utf8_lossy(&list.stdout).contains(toolchain));
    if !there {
        eprintln!("SKIPPED: no {toolchain} toolchain; `rustup toolchain install {toolchain}`");
    }
    there
}

#[test]
fn plugins_by_stable_and_nightly_in_debug_and_release_serve() {
    for (toolchain, release) in WAYS {
        if !installed(toolchain) {
            continue;
        }
        let plugin = set_header(toolchain, release);
        let inspected = Host::run(&[Path::new("inspect"), &plugin]);
        assert_eq!(inspected.code, Some(0), "{inspected:?}");
        let nightly = inspected.stdout.contains("-nightly");
        assert_eq!(nightly, toolchain.is_some(), "{}", inspected.stdout);

        let upstream = Upstream::echo();
        let host = Host::start(&with_plugins(&upstream, &[&plugin]));
        let reply = get(host.address(), "/", &[]);
        assert_eq!(reply.status, 200, "{}", host.log());
        assert_eq!(reply.header("x-set-on-response"), Some("by the plugin"));
        assert_eq!(upstream.last().header("x-set-on-request"), Some("by the plugin"));
    }
}

#[test]
fn plugins_by_several_compilers_serve_in_one_process() {
    let ways = WAYS.into_iter().filter(|(toolchain, _)| installed(*toolchain));
    let plugins: Vec<_> = ways.map(|(toolchain, release)| set_header(toolchain, release)).collect();
    let plugins: Vec<&Path> = plugins.iter().map(AsRef::as_ref).collect();
    let upstream = Upstream::echo();
    let host = Host::start(&with_plugins(&upstream, &plugins));
    let seen = header_seen(&host, &upstream, "x-set-on-request");
    assert_eq!(seen.as_deref(), Some("by the plugin"));
}
