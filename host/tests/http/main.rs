//! What the proxy does with HTTP, over real sockets: what reaches the upstream, byte for byte, and
//! what the client gets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails loudly

mod access;
mod claims;
mod drain;
mod failures;
mod framing;
mod hop_by_hop;
mod limits;
mod memory;
mod messages;
mod panics;
mod raw;
mod reuse;
mod streaming;
mod target;
mod trailers;
mod upgrade;

use fixtures::{Connection, Host, Reply, Upstream};
use std::net::SocketAddr;

/// A proxy in front of `upstream`.
fn proxy(upstream: &Upstream, args: &[&str]) -> Host {
    proxy_to(&upstream.url(), args)
}

fn proxy_to(target: &str, args: &[&str]) -> Host {
    Host::start(&[&["--target", target], args].concat())
}

/// Sends raw bytes over a connection of their own; says how the host answers, and whether it then
/// ends the connection.
fn refusal(address: SocketAddr, raw: impl AsRef<[u8]>) -> (Reply, bool) {
    let mut connection = Connection::open(address);
    connection.send(raw);
    let reply = connection.read();
    let closed = connection.is_closed();
    (reply, closed)
}
