//! PRE and POST plugins in a sandbox, through the real binary: what a module can do, that it does the
//! same as the library of its source, and that nothing it does wrong is anybody else's trouble.
// A test fails loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod contract;
mod loading;
mod misbehaving;
mod one_source;

use fixtures::{Host, Launch, get, wat};
use std::path::Path;

/// Starts the host with a configuration file that begins with `text`.
fn configured(target: &str, text: &str) -> Host {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.toml");
    std::fs::write(&file, text).unwrap();
    // A debug build takes seconds to find the names of a trap's backtrace.
    let launch = Launch::new(&["--target", target, "--config", file.to_str().unwrap()]);
    launch.env("RUST_BACKTRACE", "0").start()
}

/// A guest that stands in the way of requests.
fn middleware(name: &str) -> String {
    wat(&format!("middleware/{name}")).display().to_string()
}

/// What the admin listener says of the metrics.
fn metrics(host: &Host) -> String {
    let line = host.wait_for_log("metrics are at http://");
    let (_, rest) = line.split_once("http://").unwrap();
    let (admin, _) = rest.split_once('/').unwrap();
    get(admin.parse().unwrap(), "/metrics", &[]).text().to_owned()
}

/// `PATH={config}`.
fn with(path: &Path, config: &str) -> String {
    format!("{}={config}", path.display())
}
