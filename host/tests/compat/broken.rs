//! What the host refuses, and the exact words: they are all that a user has to go by.

use crate::with_plugins;
use fixtures::{Build, Host, Interface, Launch, Upstream, library, library_with};
use std::fs;
use std::path::Path;

/// The host does not start with the plugin, `inspect` exits with 1, and both say why.
fn assert_refused(plugin: &Path, why: &str) {
    assert_refused_with(plugin, &[], why);
}

fn assert_refused_with(plugin: &Path, further: &[&str], why: &str) {
    let verdict = format!("{}: refused: {why}", plugin.display());
    let mut args = with_plugins(&Upstream::echo(), &[plugin]);
    args.extend(further.iter().map(ToString::to_string));
    let started = Host::fails(&args);
    assert_eq!(started.code, Some(1), "{}", started.stderr);
    assert!(started.stderr.contains(&verdict), "should say\n{verdict}\nsays\n{}", started.stderr);

    let mut args = vec!["inspect".to_owned(), plugin.display().to_string()];
    args.extend(further.iter().map(ToString::to_string));
    let inspected = Launch::new(&args).run();
    assert_eq!(inspected.code, Some(1), "{inspected:?}");
    let said = inspected.stdout + &inspected.stderr;
    assert!(said.contains(why), "inspect should say\n{why}\nsays\n{said}");
}

fn noop(build: Build) -> std::path::PathBuf {
    library_with("noop-plugin", &build)
}

#[test]
fn a_file_that_is_not_a_library_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.so");
    fs::write(&file, "this is a text file\n").unwrap();
    let why = "it is not a shared library that this system loads: file too short";
    assert_refused(&file, why);
}

#[test]
fn a_library_without_a_plugin_is_refused() {
    let why = "it exports no plugin; make it one with plugin_interface::export_plugin!";
    assert_refused(&library("no-module"), why);
}

#[test]
fn a_changed_type_is_refused_with_its_place() {
    let build = Build { interface: Interface::CHANGED_LAYOUT, ..Build::default() };
    let why = "its plugin-interface 1.0.0 is not this host's 1.0.0, although the versions are \
               equal: one was changed\n  \
               ResponseParts.status: host u16, plugin u32\n\
               rebuild the plugin with plugin-interface 1.0.0 as released";
    assert_refused(&noop(build), why);
}

#[test]
fn a_renamed_field_is_refused_with_both_names() {
    let build = Build { interface: Interface::RENAMED_FIELD, ..Build::default() };
    let why = "its plugin-interface 1.0.0 is not this host's 1.0.0, although the versions are \
               equal: one was changed\n  \
               ResponseParts field: host status, plugin code\n\
               rebuild the plugin with plugin-interface 1.0.0 as released";
    assert_refused(&noop(build), why);
}

#[test]
fn another_major_version_is_refused_with_who_is_older() {
    let build = Build { interface: Interface::V2_0, ..Build::default() };
    let why = "it was built for plugin-interface 2.0.0, this host has 1.0.0: the host is older; \
               rebuild the plugin with plugin-interface 1.x";
    assert_refused(&noop(build), why);
}

#[test]
fn a_library_whose_panics_would_end_the_process_is_refused() {
    let why = "it was built with panic = \"abort\", so that a panic in it would end the process; \
               rebuild it with panic = \"unwind\"";
    assert_refused(&noop(Build { panic_abort: true, ..Build::default() }), why);
}

#[test]
fn a_panic_before_the_plugin_is_known_is_a_refusal() {
    assert_refused(&library("panics-in-info"), "it panicked when asked what it is");
}

#[test]
fn a_panic_in_register_is_a_refusal() {
    let why = "it panicked in register: nothing is registered";
    assert_refused(&library("panics-in-register"), why);
}

#[test]
fn an_error_in_register_is_a_refusal_with_the_plugins_words() {
    let why = "it does not take its configuration: the configuration \"\" has no \"key\"";
    assert_refused(&library("fails-in-register"), why);
}

#[test]
fn a_register_that_does_not_come_back_is_a_refusal() {
    let why = "it did not come back from register within 1s; what takes long belongs into a task \
               of HostServices::spawn";
    assert_refused_with(&library("hangs-in-register"), &["--register-timeout", "1s"], why);
}
