//! `cargo xtask build-plugin`, as a user calls it.
// A test fails loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use fixtures::{Host, Upstream, get};
use guests::toolchain::ZigBuild;
use std::path::Path;
use std::process::{Command, Output};

fn build_plugin(out: &Path, more: &[&str]) -> Output {
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("plugins").join("pre");
    xtask.args(["build-plugin", "--profile", "dev", "--path"]).arg(plugin).arg("--out").arg(out);
    xtask.args(more).output().unwrap()
}

/// What it says of the library: `2.17 (for …)` behind `glibc`.
fn needed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let line = said.lines().find_map(|line| line.strip_prefix("glibc  "));
    line.unwrap_or_else(|| panic!("no line with glibc in:\n{said}")).to_owned()
}

#[test]
fn a_plugin_for_an_older_glibc_needs_no_newer_and_runs_in_the_host() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    if let Err(reason) = ZigBuild::find(target, false) {
        eprintln!("SKIPPED: {reason:#}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("pre.so");
    let needed = needed(&build_plugin(&plugin, &["--glibc", "2.17"]));
    let version = needed.split(' ').next().unwrap();
    let (major, minor) = version.split_once('.').unwrap();
    let minor: u32 = minor.split('.').next().unwrap().parse().unwrap();
    assert!(major == "2" && minor <= 17, "it needs {needed}");

    let upstream = Upstream::echo();
    let host = Host::start(&[
        "--target",
        &upstream.url(),
        "--pre-plugin",
        plugin.to_str().expect("a path in UTF-8"),
    ]);
    assert_eq!(get(host.address(), "/", &[]).status, 200);
    assert_eq!(upstream.last().values("x-trace-id").len(), 1);
}

#[test]
fn without_a_wish_it_says_what_the_library_needs() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("deeper/pre.so");
    let needed = needed(&build_plugin(&plugin, &[]));
    assert!(needed.starts_with("2.") && needed.contains(" (for "), "{needed}");
    assert!(plugin.is_file());
}

#[test]
fn a_version_that_cannot_be_is_wrong_usage() {
    let out = Path::new("never.so");
    for (version, reason) in
        [("2.16", "Rust's standard library needs 2.17"), ("new", "write it as in 2.28")]
    {
        let output = build_plugin(out, &["--glibc", version]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(reason), "{said}");
    }
    assert!(!out.exists());
}
