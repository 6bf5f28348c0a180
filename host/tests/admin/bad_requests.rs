//! What is wrong with a request is said in an answer, and nothing is done.

use crate::{Served, assert_refused, json};
use fixtures::{Connection, exchange};
use std::time::{Duration, Instant};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const OURS: (&str, &str) = ("X-Tenon-Admin", "1");

#[test]
fn what_is_not_there_is_not_found() {
    let served = Served::open();
    for path in [
        "/index.html",
        "/api",
        "/api/",
        "/api/plugins/1",
        "/api/plugins/x/disable",
        "/api/plugins/-1/disable",
        "/api/plugins/18446744073709551616/disable",
        "/api/plugins/1/explode",
        "/api/plugins/1/disable/",
        "/api/locks/",
        "/api/locks/a/b",
        "//healthz",
        "/../page.js",
        "/page.js/",
        "/%2e%2e/",
    ] {
        assert_refused(&served.get(path), 404, "there is no ");
        assert_refused(&served.tell(&format!("POST {path}"), "{}"), 404, "/api/openapi.json");
    }
    assert_eq!(served.operator.told(), []);
}

#[test]
fn a_wrong_method_is_answered_with_the_right_ones() {
    let served = Served::open();
    for (path, right, wrong) in [
        ("/", "GET, HEAD", "POST"),
        ("/page.js", "GET, HEAD", "PUT"),
        ("/healthz", "GET, HEAD", "POST"),
        ("/readyz", "GET, HEAD", "DELETE"),
        ("/metrics", "GET, HEAD", "POST"),
        ("/api/openapi.json", "GET, HEAD", "OPTIONS"),
        ("/api/status", "GET, HEAD", "POST"),
        ("/api/locks", "GET, HEAD", "DELETE"),
        ("/api/locks/bob", "DELETE", "POST"),
        ("/api/reload", "POST", "GET"),
        ("/api/rollback", "POST", "OPTIONS"),
        ("/api/restart", "POST", "GET"),
        ("/api/promote", "POST", "PATCH"),
        ("/api/plugins/1/disable", "POST", "DELETE"),
        ("/api/plugins/1/enable", "POST", "TRACE"),
    ] {
        let reply = served.tell(&format!("{wrong} {path}"), "");
        assert_refused(&reply, 405, right);
        assert_eq!(reply.header("allow"), Some(right), "{wrong} {path}");
    }
    assert_eq!(served.operator.told(), []);
}

#[test]
fn a_body_must_be_what_it_says_and_small() {
    let served = Served::open();
    let reload = "POST /api/reload";
    let lock = "DELETE /api/locks/bob";
    for kind in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        for line in [reload, lock] {
            let headers = [("Content-Type", kind), OURS];
            assert_refused(&served.send(line, &headers, "{}"), 415, "application/json");
        }
    }
    assert_refused(&served.send(reload, &[OURS], ""), 415, "application/json");
    for (line, body, reason) in [
        (reload, "{", "EOF"),
        (reload, "[]", "the body is not what is asked for"),
        (reload, "null", "the body is not what is asked for"),
        (reload, "{\"force\": true}", "unknown field `force`"),
        (reload, "{} {}", "trailing characters"),
        (lock, "{\"name\": 1}", "unknown field"),
        ("POST /api/promote", "{\"force\": \"yes\"}", "expected a boolean"),
        ("POST /api/promote", "{\"forced\": true}", "unknown field `forced`"),
        ("POST /api/promote", "\u{0}", "expected value"),
    ] {
        assert_refused(&served.tell(line, body), 400, reason);
    }
    assert_refused(&served.tell(reload, &" ".repeat(4097)), 413, "4096 bytes");
    let headers = [JSON, OURS, ("Transfer-Encoding", "chunked")];
    let host = ("Host", &*served.address.to_string());
    let lines = std::iter::once(&host).chain(&headers);
    let lines: Vec<_> = lines.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = lines.concat();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000)).repeat(2);
    let raw = format!("{reload} HTTP/1.1\r\n{head}\r\n{chunk}0\r\n\r\n");
    assert_refused(&exchange(served.address, raw), 413, "4096 bytes");
    assert_eq!(served.operator.told(), []);

    // Parameters of the type are fine.
    let headers = [("Content-Type", "Application/JSON; charset=utf-8"), OURS];
    assert_eq!(served.send(reload, &headers, "{}").status, 200);
}

#[test]
fn a_name_that_is_no_text_is_a_bad_request() {
    let served = Served::open();
    assert_refused(&served.tell("DELETE /api/locks/%ff", ""), 400, "not UTF-8");
    assert_eq!(served.operator.told(), []);
}

#[test]
fn what_is_not_http_ends_the_connection_and_nothing_else() {
    let served = Served::open();
    for raw in ["\r\n\r\n\0", "GET\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n"] {
        let mut connection = Connection::open(served.address);
        connection.send(raw);
        connection.finish();
        if let Ok(reply) = connection.try_read() {
            assert_eq!(reply.status, 400, "{raw:?}: {reply:?}");
        }
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(20_000), served.address);
    let reply = exchange(served.address, long);
    assert!([414, 431].contains(&reply.status), "{reply:?}");
    let many = "a: b\r\n".repeat(200);
    let reply = exchange(served.address, format!("GET / HTTP/1.1\r\n{many}\r\n"));
    assert_eq!(reply.status, 431);
    assert_eq!(served.get("/healthz").status, 200);
}

/// Whoever sends nothing, or half of something, is not waited for; and not before his time.
#[test]
fn slow_clients_are_let_go() {
    let served = Served::open();
    let host = served.address;
    let begin = Instant::now();
    let mut half_a_head = Connection::open(host);
    half_a_head.send(format!("GET /api/status HTTP/1.1\r\nHost: {host}\r\n"));
    let mut idle = Connection::open(host);
    idle.send(format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    assert_eq!(idle.read().status, 200);
    let silent = Connection::open(host);
    let mut half_a_body = Connection::open(host);
    half_a_body.send(format!(
        "POST /api/reload HTTP/1.1\r\nHost: {host}\r\nX-Tenon-Admin: 1\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{"
    ));
    assert_refused(&half_a_body.read(), 408, "was not there after 5s");
    assert!(begin.elapsed() >= Duration::from_secs(5), "{:?}", begin.elapsed());
    for (mut connection, what) in [(half_a_head, "head"), (idle, "idle"), (silent, "silent")] {
        assert!(connection.is_closed(), "{what}");
    }
    assert_eq!(served.operator.told(), []);
}

/// More connections than are served at a time: the others are served when some have ended.
#[test]
fn many_connections_wait_for_each_other() {
    let served = Served::open();
    let mut open: Vec<_> = (0..80).map(|_| Connection::open(served.address)).collect();
    for connection in &mut open {
        connection.send(format!(
            "GET /api/locks HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            served.address
        ));
    }
    for connection in &mut open {
        let reply = connection.read();
        assert_eq!(json(&reply)[0]["name"], "tenon-lock-bob");
    }
}

/// Less than a probe of a container waits.
#[test]
fn whoever_holds_connections_open_keeps_no_probe_out() {
    let served = Served::closed();
    let held: Vec<_> = (0..100).map(|_| Connection::open(served.address)).collect();
    let begin = Instant::now();
    for _ in 0..3 {
        assert_eq!(served.get("/healthz").status, 200);
    }
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    drop(held);
}
