//! Within 1.x either side may be the older one.

use crate::{header_seen, with_plugins};
use fixtures::{Build, Interface, Launch, Upstream, host, host_with, library, library_with};
use std::path::{Path, PathBuf};

const V1_1: Build =
    Build { interface: Interface::V1_1, toolchain: None, release: false, panic_abort: false };

/// What became of a request to a host with these plugins.
struct Seen {
    /// What the plugin of 1.0 did.
    set: Option<String>,
    /// What the plugin of 1.1 learned by the function that 1.1 adds.
    generation: Option<String>,
    /// Whether the method that 1.1 adds was called in the plugin of 1.1.
    finished: bool,
}

fn serve(binary: PathBuf, plugins: &[&Path]) -> Seen {
    let upstream = Upstream::echo();
    let mut args = with_plugins(&upstream, plugins);
    args.extend(["--drain-delay", "0s"].map(str::to_owned));
    let host = Launch::new(&args).binary(binary).start();
    let set = header_seen(&host, &upstream, "x-set-on-request");
    let generation = upstream.last().header("x-generation").map(str::to_owned);
    assert!(host.stop().success(), "{}", host.log());
    Seen { set, generation, finished: host.log().contains("told of the end") }
}

#[test]
fn a_plugin_of_1_0_serves_under_a_host_of_1_1() {
    let seen = serve(host_with(Interface::V1_1), &[&library("set-header")]);
    assert_eq!(seen.set.as_deref(), Some("by the plugin"));
}

#[test]
fn a_plugin_of_1_1_serves_under_a_host_of_1_0() {
    let seen = serve(host(), &[&library_with("evolved", &V1_1)]);
    assert_eq!(seen.generation.as_deref(), Some("the host has none"));
    assert!(!seen.finished, "a host of 1.0 cannot call what 1.1 adds");
}

#[test]
fn a_plugin_of_1_1_has_what_1_1_adds_under_a_host_of_1_1() {
    let seen = serve(host_with(Interface::V1_1), &[&library_with("evolved", &V1_1)]);
    assert_eq!(seen.generation.as_deref(), Some("7"));
    assert!(seen.finished, "the host should have called the new method");
}

/// A layout check that remembers what it has seen would depend on the order.
#[test]
fn plugins_of_both_versions_serve_side_by_side_in_any_order() {
    let (older, newer) = (library("set-header"), library_with("evolved", &V1_1));
    for (binary, generation) in [(host(), "the host has none"), (host_with(Interface::V1_1), "7")] {
        for plugins in [[&*older, &*newer], [&*newer, &*older]] {
            let seen = serve(binary.clone(), &plugins);
            assert_eq!(seen.set.as_deref(), Some("by the plugin"));
            assert_eq!(seen.generation.as_deref(), Some(generation));
        }
    }
}
