//! The plugin in the real host, in front of real gRPC services.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails loudly

mod config;
mod failures;
mod routes;
mod server;
mod shop;
mod streaming;
mod unary;

use fixtures::{Host, Reply, Upstream, exchange, library};
use serde_json::{Value, json};
use server::Server;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::NamedTempFile;

/// `tests/protos/shop.proto` as protoc would describe it.
static DESCRIPTORS: LazyLock<NamedTempFile> = LazyLock::new(|| descriptors(true));

fn descriptors(with_imports: bool) -> NamedTempFile {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protos");
    let mut compiler = protox::Compiler::new([protos]).unwrap();
    compiler.include_imports(with_imports).open_file("shop.proto").unwrap();
    let file = NamedTempFile::new().unwrap();
    std::fs::write(&file, compiler.encode_file_descriptor_set()).unwrap();
    file
}

/// The plugin's argument: with `more` in its configuration.
fn plugin(origin: &str, more: Value) -> String {
    let mut config = json!({"upstream": origin, "descriptor_set": DESCRIPTORS.path()});
    let Value::Object(more) = more else { panic!("{more} is no configuration") };
    config.as_object_mut().unwrap().extend(more);
    format!("{}={config}", library("grpc-plugin").display())
}

/// The host with the plugin in front of a service, and of an upstream that must see nothing.
struct Proxy {
    host: Host,
    upstream: Upstream,
}

fn start(server: &Server, more: Value) -> Proxy {
    start_with(&server.origin("http"), more, &[])
}

fn start_with(origin: &str, more: Value, flags: &[&str]) -> Proxy {
    let upstream = Upstream::echo();
    let (target, plugin) = (upstream.url(), plugin(origin, more));
    let host = Host::start(&[&["--target", &target, "--post-plugin", &plugin], flags].concat());
    Proxy { host, upstream }
}

impl Proxy {
    fn address(&self) -> SocketAddr {
        self.host.address()
    }

    /// Posts JSON.
    fn post(&self, path: &str, json: &str) -> Reply {
        self.send("POST", path, &[("Content-Type", "application/json")], json)
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        exchange(self.address(), head(method, path, headers, body.len()) + body)
    }
}

fn head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = lines.concat();
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{headers}\r\n")
}

/// The JSON of a reply that must have this status.
fn body(reply: &Reply, status: u16) -> Value {
    assert_eq!(reply.status, status, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert!(reply.complete);
    serde_json::from_slice(&reply.body).unwrap()
}

/// A status as an answer has it.
fn error(code: u8, message: &str) -> Value {
    json!({"code": code, "message": message, "details": []})
}
