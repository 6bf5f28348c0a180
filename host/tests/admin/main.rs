//! The admin listener over real sockets, with an operator that says what the test wants: every route,
//! every bad request, the document of the API, and the page in a real browser. What the real host
//! shows is in the tests of the host.
// A test fails loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod api;
mod bad_requests;
mod browser;
mod openapi;
mod operator;
mod page;
mod schema;

use fixtures::{Reply, exchange};
use host::admin::{Access, Admin};
use host_proxy::Metrics;
use operator::Mock;
use serde_json::Value;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// An admin listener on a port of its own.
struct Served {
    address: SocketAddr,
    operator: Arc<Mock>,
    _runtime: Runtime,
}

impl Served {
    /// Without a token.
    fn open() -> Self {
        Self::start(Access::default())
    }

    /// With [`TOKEN`].
    fn closed() -> Self {
        Self::start(Access::new(Some(TOKEN.to_owned()), Vec::new()).unwrap())
    }

    fn start(access: Access) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let operator = Arc::new(Mock::default());
        let admin = Admin::new(operator.clone(), Arc::new(Metrics::new()), access);
        runtime.spawn(Arc::new(admin).serve(Arc::new(listener), TaskTracker::new()));
        Self { address, operator, _runtime: runtime }
    }

    /// A request with these headers beside `Host`.
    fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut raw = format!("{line} HTTP/1.1\r\n");
        if headers.iter().all(|(name, _)| *name != "Host") {
            let _ = write!(raw, "Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            let _ = write!(raw, "{name}: {value}\r\n");
        }
        if !body.is_empty() {
            let _ = write!(raw, "Content-Length: {}\r\n", body.len());
        }
        exchange(self.address, raw + "\r\n" + body)
    }

    fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path}"), &[], "")
    }

    /// A command as the page sends it.
    fn tell(&self, line: &str, body: &str) -> Reply {
        self.send(line, &[("Content-Type", "application/json"), ("X-Tenon-Admin", "1")], body)
    }
}

fn json(reply: &Reply) -> Value {
    assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
    serde_json::from_slice(&reply.body).unwrap()
}

/// Checks that this was refused so, and that the reason has this in it.
fn assert_refused(reply: &Reply, status: u16, reason: &str) {
    let value = json(reply);
    let error = value["error"].as_str().unwrap();
    assert_eq!((reply.status, value.as_object().unwrap().len()), (status, 1), "{reply:?}");
    assert!(error.contains(reason), "{error:?} should say {reason:?}");
}
