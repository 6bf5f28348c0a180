//! What the host refuses, and the exact words: they are all that a user has to go by.

use crate::with_plugins;
use fixtures::{Build, Host, Interface, Launch, Upstream, host_with, library, library_with};
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
fn a_library_by_another_line_of_abi_stable_is_refused() {
    let why = "it was built with abi_stable 0.12, this host has 0.11; rebuild it with \
               plugin-interface 1.0.0";
    assert_refused(&library("other-abi"), why);
}

#[test]
fn a_file_that_is_not_there_is_refused_with_where_was_looked() {
    let args = with_plugins(&Upstream::echo(), &[Path::new("./none.so"), Path::new("none")]);
    let started = Host::fails(&args);
    assert_eq!(started.code, Some(1), "{}", started.stderr);
    let said = "no plugin \"./none.so\": there is no ./none.so";
    assert!(started.stderr.contains(said), "{}", started.stderr);
    let inspected = Host::run(&["inspect", "none"]);
    assert_eq!(inspected.code, Some(1), "{inspected:?}");
    let said = "no plugin \"none\": there is no none, plugins/libnone.so, plugins/none.so, ";
    assert!(inspected.stderr.contains(said), "{}", inspected.stderr);
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
fn a_changed_type_of_an_older_version_is_refused_with_who_is_older() {
    let build = Build { interface: Interface::CHANGED_LAYOUT, ..Build::default() };
    let plugin = noop(build).display().to_string();
    let newer = Launch::new(&["inspect", &plugin]).binary(host_with(Interface::V1_1)).run();
    let why = "its plugin-interface 1.0.0 is not this host's 1.1.0: the plugin's is older\n  \
               ResponseParts.status: host u16, plugin u32\n\
               rebuild the plugin with plugin-interface 1.1.0 as released";
    assert_eq!(newer.code, Some(1));
    assert!(newer.stdout.contains(why), "{}", newer.stdout);
}

#[test]
fn a_fork_of_the_interface_is_refused_beside_the_original() {
    let original = noop(Build { interface: Interface::V1_1, ..Build::default() });
    let fork = noop(Build { interface: Interface::FORKED, ..Build::default() });
    let inspected = Host::run(&[Path::new("inspect"), &fork]);
    assert_eq!(inspected.code, Some(0), "alone it is taken: {inspected:?}");
    let started = Host::fails(&with_plugins(&Upstream::echo(), &[&original, &fork]));
    let why = format!(
        "{}: refused: its plugin-interface differs from that of {}, which is loaded already\n  \
         HostServicesVtable field: host generation, plugin uptime\n\
         rebuild both with the same release of plugin-interface",
        fork.display(),
        original.display(),
    );
    assert_eq!(started.code, Some(1));
    assert!(started.stderr.contains(&why), "should say\n{why}\nsays\n{}", started.stderr);
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
    let why = "it could not register: the configuration \"\" has no \"key\"";
    assert_refused(&library("fails-in-register"), why);
}

#[test]
fn a_plugin_that_registers_nothing_is_refused() {
    assert_refused(&library("registers-nothing"), "it registered nothing");
}

#[test]
fn a_register_that_does_not_come_back_is_a_refusal() {
    let why = "it did not come back from register within 1s; what takes long belongs into a task \
               of HostServices::spawn";
    assert_refused_with(&library("hangs-in-register"), &["--register-timeout", "1s"], why);
}
