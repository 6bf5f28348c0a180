//! What the proxy does with the locks and the audit log that it is given, over real sockets, and with
//! an admission of plugins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails loudly

mod admission;
mod audit;
mod locks;
mod overload;
mod server;

use base64::Engine;

/// A header with `user:password`.
fn basic(credentials: impl AsRef<[u8]>) -> (&'static str, String) {
    let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
    ("Authorization", format!("Basic {encoded}"))
}

/// A header with a token of the plugin for bearer tokens; its user is alice.
fn bearer() -> (&'static str, String) {
    let tokens = server::jwt_vectors();
    ("Authorization", format!("Bearer {}", tokens["tokens"]["ES256"].as_str().unwrap()))
}
