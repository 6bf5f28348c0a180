//! The plugin in the real host.
#![allow(clippy::unwrap_used)] // a test fails loudly

use fixtures::{After, Connection, Host, Upstream, exchange, get, library};
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

const CONFIG: &str = r#"{
    "replace": [{"from": "http://internal", "to": "https://example.com"}],
    "set_headers": {"x-frame-options": "DENY"},
    "remove_headers": ["server"]
}"#;

fn start(upstream: &Upstream) -> Host {
    let plugin = format!("{}={CONFIG}", library("transform-plugin").display());
    Host::start(&["--target", &upstream.url(), "--post-plugin", &plugin])
}

/// An upstream with one answer: the head without its end, and the body.
fn answering(head: &'static str, body: &'static str) -> Upstream {
    Upstream::respond(move |_| format!("{head}\r\n\r\n{body}").into_bytes())
}

#[test]
fn a_body_is_rewritten_across_its_chunks_and_keeps_its_trailers() {
    let upstream = answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nServer: internal\r\nETag: \"1\"\r\n\
         Transfer-Encoding: chunked\r\nTrailer: x-sum",
        "e\r\nsee http://int\r\n8\r\nernal/a \r\n3\r\n, h\r\n0\r\nx-sum: 42\r\n\r\n",
    );
    let host = start(&upstream);
    let reply = get(host.address(), "/", &[("TE", "trailers"), ("Accept-Encoding", "gzip, br")]);
    assert_eq!((reply.status, reply.text()), (200, "see https://example.com/a , h"));
    assert_eq!(reply.trailer("x-sum"), Some("42"));
    assert_eq!(reply.header("x-frame-options"), Some("DENY"));
    assert_eq!(reply.header("server"), None);
    assert_eq!(reply.header("etag"), None);
    assert_eq!(upstream.last().values("accept-encoding"), ["identity"]);
}

#[test]
fn a_body_of_known_length_gets_another_length() {
    let upstream = answering(
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 19",
        "[\"http://internal\"]",
    );
    let reply = get(start(&upstream).address(), "/", &[]);
    assert_eq!((reply.status, reply.text()), (404, "[\"https://example.com\"]"));
    assert!(reply.complete);
}

#[test]
fn what_cannot_be_rewritten_passes_as_it_is() {
    let body = "http://internal";
    let heads = [
        "200 OK\r\nContent-Type: image/svg+xml",
        "200 OK",
        "200 OK\r\nContent-Type: text/html\r\nContent-Encoding: br",
        "206 Partial Content\r\nContent-Type: text/html\r\nContent-Range: bytes 0-14/99",
    ];
    for head in heads {
        let upstream = Upstream::respond(move |_| {
            format!("HTTP/1.1 {head}\r\nETag: \"1\"\r\nContent-Length: 15\r\n\r\n{body}").into()
        });
        let reply = get(start(&upstream).address(), "/", &[]);
        assert_eq!((reply.text(), reply.header("content-length")), (body, Some("15")), "{head}");
        assert_eq!(reply.header("etag"), Some("\"1\""), "{head}");
        assert_eq!(reply.header("x-frame-options"), Some("DENY"), "{head}");
    }
}

#[test]
fn head_gets_the_headers_that_get_would_get() {
    let upstream = answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nETag: \"1\"",
        "",
    );
    let reply = exchange(start(&upstream).address(), "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((reply.status, reply.header("x-frame-options")), (200, Some("DENY")));
    assert_eq!((reply.header("content-length"), reply.header("etag")), (None, None));
}

#[test]
fn an_answer_without_a_body_stays_one() {
    for status in ["204 No Content", "304 Not Modified"] {
        let upstream = Upstream::respond(move |_| {
            format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nETag: \"1\"\r\n\r\n").into()
        });
        let reply = get(start(&upstream).address(), "/", &[]);
        assert_eq!(reply.header("x-frame-options"), Some("DENY"), "{status}");
        assert_eq!(reply.header("etag"), Some("\"1\""), "{status}");
        assert_eq!(reply.header("transfer-encoding"), None, "{status}");
    }
}

#[test]
fn an_event_passes_before_the_next_one_is_there() {
    let (read_first, first_was_read) = mpsc::channel();
    let first_was_read = Mutex::new(first_was_read);
    let upstream = Upstream::serve(move |_, stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
              Transfer-Encoding: chunked\r\n\r\n\
              1d\r\ndata: http://internal/first\n\n\r\n",
        )?;
        stream.flush()?;
        let limit = Duration::from_secs(10);
        first_was_read.lock().unwrap().recv_timeout(limit).expect("the first event in time");
        stream.write_all(b"e\r\ndata: second\n\n\r\n0\r\n\r\n")?;
        Ok(After::KeepAlive)
    });
    let host = start(&upstream);
    let mut connection = Connection::open(host.address());
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut received = Vec::new();
    while !received.ends_with(b"data: https://example.com/first\n\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte);
        received.extend(byte);
    }
    read_first.send(()).unwrap();
    while !received.ends_with(b"data: second\n\n\r\n0\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte);
        received.extend(byte);
    }
}

#[test]
fn a_wrong_configuration_stops_the_start() {
    let plugin =
        format!("{}={{\"remove_headers\": [\"a b\"]}}", library("transform-plugin").display());
    let failed = Host::fails(&["--target", "http://127.0.0.1:1", "--post-plugin", &plugin]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let expected = "\"remove_headers\": \"a b\" is not a header's name";
    assert!(failed.stderr.contains(expected), "{}", failed.stderr);
}
