//! What the host promises its users, through the real binary over real sockets: the walkthrough,
//! authentication, TLS, HTTP/2, what plugins are lent, and the command line.
// A test fails loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod basic_auth;
mod cli;
mod config_file;
mod grpc;
mod h2;
mod http2;
mod identity;
mod inspect;
mod locks;
mod logging;
mod plugins;
mod secrets;
mod tls_in;
mod tls_out;
mod trust;
mod walkthrough;

use base64::Engine;
use fixtures::{Output, library};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The value of `Authorization` for `user:password`.
fn basic(credentials: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials))
}

/// A folder with copies of these libraries under these names.
fn folder_of(libraries: &[(&str, &Path)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, library) in libraries {
        fs::copy(library, folder.path().join(name)).unwrap();
    }
    folder
}

/// Checks that the program ended with this code, and said all of this in one line.
fn assert_ends(output: &Output, code: i32, parts: &[&str]) {
    let said = |line: &str| parts.iter().all(|part| line.contains(part));
    assert!(
        output.code == Some(code) && output.stderr.lines().any(said),
        "expected exit code {code} and {parts:?}, not {output:?}"
    );
}

/// Tokens and the keys that they are signed with: those of the plugin's own tests.
fn jwt_vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../plugins/jwt/tests/tokens.json")).unwrap()
}

/// The plugin for bearer tokens, as an argument; its keys are put into `folder`.
fn jwt(folder: &TempDir) -> String {
    let file = folder.path().join("jwks.json");
    fs::write(&file, jwt_vectors()["jwks"].to_string()).unwrap();
    let config = serde_json::json!({ "jwks_file": file, "audience": "tenon" });
    format!("{}={config}", library("jwt-plugin").display())
}
