//! `host inspect`: what a plugin is, and whether this host would take it.

use crate::{assert_ends, folder_of};
use fixtures::{Host, Output, library};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn inspect(path: &Path, more: &[&str]) -> Output {
    Host::run(&[&["inspect", path.to_str().unwrap()], more].concat())
}

fn report(path: &Path, code: i32) -> Value {
    let output = inspect(path, &["--json"]);
    assert_eq!(output.code, Some(code), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn a_good_plugin_is_described_and_accepted() {
    let file = library("pre-plugin");
    let size = fs::metadata(&file).unwrap().len();
    let report = report(&file, 0);
    assert_eq!(report["file"], file.to_str().unwrap());
    assert_eq!([&report["kind"], &report["name"]], [&json!("plugin"), &json!("pre-plugin")]);
    assert_eq!([&report["interface"], &report["host_interface"]], [&json!("1.0.0"); 2]);
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!([&report["size"], &report["accepted"]], [&json!(size), &json!(true)]);
    assert_eq!(report["registers"], json!(["middleware pre"]));
    assert_eq!(report["sha256"].as_str().unwrap().len(), 64);
    assert!(report["compiler"].as_str().unwrap().starts_with("rustc "), "{report:#}");
    assert_eq!(report["verdict"], "accepted");

    let Output { code, stdout, stderr } = inspect(&file, &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let row = |name: &str| stdout.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    assert_eq!(row("kind"), "plugin");
    assert_eq!(row("name"), "pre-plugin");
    assert_eq!(row("interface"), "1.0.0 (this host: 1.0.0)");
    assert_eq!(row("size"), format!("{size} bytes"));
    assert_eq!(row("sha256"), report["sha256"].as_str().unwrap());
    assert_eq!((row("registers"), row("verdict")), ("middleware pre", "accepted"));
}

#[test]
fn a_patch_is_told_from_a_plugin() {
    let report = report(&library("reverse-proxy-patch"), 0);
    assert_eq!(report["kind"], "patch");
    assert_eq!(report["registers"], json!(["patch reverse_proxy"]));
}

#[test]
fn what_this_host_would_not_take_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.so");
    fs::write(&file, "text").unwrap();
    let refused = report(&file, 1);
    assert_eq!([&refused["kind"], &refused["accepted"]], [&json!("library"), &json!(false)]);
    assert_eq!([&refused["name"], &refused["size"]], [&Value::Null, &json!(4)]);
    let words = "refused: it is not a shared library that this system loads: file too short";
    assert_eq!(refused["verdict"], words);
    let output = inspect(&file, &[]);
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("name       not known\n"), "{}", output.stdout);
    assert!(output.stdout.ends_with(&format!("verdict    {words}\n")), "{}", output.stdout);

    let refused = report(&library("panics-in-register"), 1);
    assert_eq!(refused["name"], "panics-in-register", "as far as the checks came");
    assert!(refused["verdict"].as_str().unwrap().starts_with("refused: it panicked in register"));
}

#[test]
fn a_configuration_is_tried_too() {
    let plugin = library("ip-filter-plugin").display().to_string();
    let inspect = |config: &str| Host::run(&["inspect", &format!("{plugin}{config}")]);
    let output = inspect("={\"allow\": [\"10.0.0.0/8\"]}");
    assert_eq!(output.code, Some(0), "{output:?}");
    let output = inspect("={\"allow\": [\"x\"]}");
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("it could not register"), "{output:?}");
    assert_ends(&inspect("={x}"), 2, &["is not JSON"]);
}

#[test]
fn what_is_not_there_cannot_be_inspected() {
    for more in [&[][..], &["--json"]] {
        let output = inspect(Path::new("/nowhere/plugin.so"), more);
        let words = "no plugin \"/nowhere/plugin.so\": there is no /nowhere/plugin.so";
        assert_ends(&output, 1, &[words]);
        assert_eq!(output.stdout, "");
    }
    let folder = folder_of(&[("libmine.so", &library("pre-plugin"))]);
    let dir = folder.path().to_str().unwrap();
    let output = Host::run(&["inspect", "mine", "--plugin-dir", dir]);
    assert_eq!(output.code, Some(0), "{output:?}");
}
