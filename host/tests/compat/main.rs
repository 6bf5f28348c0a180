//! The promise to plugin authors, kept under test with the real host: which libraries it takes,
//! whoever built them and whenever, which it refuses and in what words, and that one that panics
//! harms nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails loudly

mod broken;
mod calls;
mod panics;
mod toolchains;
mod versions;

use fixtures::{Host, Upstream, get};
use std::path::Path;

/// The arguments for a proxy in front of `upstream` with these libraries as PRE plugins.
fn with_plugins(upstream: &Upstream, plugins: &[&Path]) -> Vec<String> {
    let mut args = vec!["--target".to_owned(), upstream.url()];
    for plugin in plugins {
        args.extend(["--pre-plugin".to_owned(), plugin.display().to_string()]);
    }
    args
}

/// Sends a request through `host` and says what the plugins have made of it: the value of a header
/// that the upstream saw.
fn header_seen(host: &Host, upstream: &Upstream, name: &str) -> Option<String> {
    let reply = get(host.address(), "/seen", &[]);
    assert_eq!(reply.status, 200, "{}\n{}", reply.text(), host.log());
    upstream.last().header(name).map(str::to_owned)
}
