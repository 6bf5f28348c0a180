//! Whether a host would take the plugin as it is built, with the configuration in `config.json`.
//!
//! The host is the program `host` on the search path, or the one that the environment variable
//! `TENON_HOST` names. Without one there is nothing to test, and the test says so.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn a_host_takes_the_plugin() {
    let Some(host) = host() else {
        eprintln!("SKIPPED: there is no host; name one in the environment variable TENON_HOST");
        return;
    };
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.json");
    let config = std::fs::read_to_string(config).unwrap();
    let plugin = format!("{}={}", library().display(), config.trim());
    let output = Command::new(host).args(["inspect", &plugin]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("accepted"), "{said}{output:?}");
}

fn host() -> Option<PathBuf> {
    if let Some(host) = env::var_os("TENON_HOST") {
        return Some(host.into());
    }
    // Many systems have another program of that name, which looks up addresses.
    let asked = Command::new("host").args(["inspect", "--help"]).output();
    asked.is_ok_and(|it| it.status.success()).then(|| "host".into())
}

/// Builds the library: cargo does not do so for a test.
fn library() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap());
    cargo.args(["build", "--lib", "--message-format", "json-render-diagnostics", "--target-dir"]);
    cargo.arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).unwrap();
    let mut libraries = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let file = message["filenames"].as_array()?.first()?.as_str()?;
        (message["target"]["kind"] == serde_json::json!(["cdylib"])).then(|| file.into())
    });
    libraries.next_back().expect("cargo has built a cdylib")
}
