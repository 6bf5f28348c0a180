//! The contract itself, by a module that is written by hand.

use crate::{configured, middleware};
use fixtures::{Connection, Host, Upstream, exchange, get};

fn hosted(upstream: &Upstream) -> Host {
    Host::start(&["--target", &upstream.url(), "--post-plugin", &middleware("contract")])
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}")
}

#[test]
fn heads_are_changed_and_the_slot_comes_back() {
    let upstream = Upstream::respond(|_| {
        b"HTTP/1.1 200 OK\r\nX-Gone: 1\r\nContent-Length: 2\r\n\r\nok".to_vec()
    });
    let host = hosted(&upstream);
    let reply = get(host.address(), "/", &[]);
    assert_eq!(upstream.last().header("x-wat"), Some("1"));
    assert_eq!((reply.status, reply.text()), (202, "ok"), "{}", host.log());
    assert_eq!((reply.header("x-slot"), reply.header("x-gone")), (Some("kept"), None));
    assert_eq!(reply.header("content-length"), Some("2"), "nobody has had the body");

    get(host.address(), "/line---?q", &[("User-Agent", "x")]);
    let request = upstream.last();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("PUT", "/elsewhere?x"));
    assert_eq!(request.header("user-agent"), None);
}

#[test]
fn a_module_answers_itself_with_any_bytes() {
    let upstream = Upstream::echo();
    let host = hosted(&upstream);
    let reply = get(host.address(), "/respond", &[]);
    assert_eq!((reply.status, reply.body.as_slice()), (418, b"ok\xff".as_slice()));
    assert_eq!((reply.header("x-by"), reply.header("x-slot")), (Some("wat"), None));
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn a_module_that_does_not_want_the_response_is_not_asked() {
    let upstream = Upstream::echo();
    let host = hosted(&upstream);
    assert_eq!(get(host.address(), "/noback-", &[]).header("x-slot"), None);
    assert_eq!(get(host.address(), "/", &[]).header("x-slot"), Some("kept"));
}

#[test]
fn the_body_comes_when_it_is_asked_for_both_ways() {
    let upstream = Upstream::respond(|request| {
        let length = request.body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), &request.body].concat()
    });
    let host = hosted(&upstream);
    let reply = exchange(host.address(), post("/readit-", "from the client"));
    let request = upstream.last();
    assert_eq!((request.body.as_slice(), request.header("x-saw")), (&b"seen"[..], Some("body")));
    assert_eq!(request.header("x-before"), Some("1"), "what it changed before it had the body");
    assert_eq!(request.header("content-length"), Some("4"));
    assert_eq!((reply.status, reply.text()), (202, "seen"), "its slot outlives the second call");
    // A body that is empty is a body.
    exchange(host.address(), post("/readit-", ""));
    assert_eq!(upstream.last().body, b"seen");

    let reply = exchange(host.address(), post("/back---", "from the client"));
    assert_eq!((reply.text(), reply.header("x-saw")), ("seen", Some("body")));
    assert_eq!(reply.header("content-length"), Some("4"));
}

#[test]
fn a_body_beyond_the_limit_goes_on_unread() {
    let upstream = Upstream::respond(|request| {
        let trailer = request.trailers.first().map(|(name, _)| name.clone());
        let text = trailer.unwrap_or_default();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
    });
    let text = format!("[[pre-plugin]]\npath = {:?}\nbody-limit = 4\n", middleware("contract"));
    let host = configured(&upstream.url(), &text);
    // By its length, so that it is not begun; and by what comes.
    exchange(host.address(), post("/readit-", "12345"));
    assert_eq!(upstream.last().header("x-saw"), Some("too large"), "{}", host.log());
    assert_eq!(upstream.last().header("content-length"), Some("5"));
    assert_eq!(upstream.last().body, b"12345");
    let head =
        "POST /readit- HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: End\r\n\r\n";
    let reply =
        exchange(host.address(), format!("{head}3\r\n123\r\n3\r\n456\r\n0\r\nEnd: 1\r\n\r\n"));
    assert_eq!(upstream.last().header("x-saw"), Some("too large"));
    assert_eq!((upstream.last().body.as_slice(), reply.text()), (&b"123456"[..], "end"));
    // As many as the limit has are sent.
    exchange(host.address(), post("/readit-", "1234"));
    assert_eq!(upstream.last().body, b"seen");
}

#[test]
fn a_body_that_stops_coming_is_the_clients_fault() {
    let upstream = Upstream::echo();
    let text =
        format!("idle-timeout = \"200ms\"\n[[pre-plugin]]\npath = {:?}\n", middleware("contract"));
    let host = configured(&upstream.url(), &text);
    let mut client = Connection::open(host.address());
    client.send("POST /readit- HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n123");
    assert_eq!(client.read().status, 408);
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn a_body_that_is_only_looked_at_stays_as_it_is() {
    let upstream = Upstream::echo();
    let host = Host::start(&["--target", &upstream.url(), "--pre-plugin", &middleware("looks")]);
    let head =
        "POST /lookat- HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: End\r\n\r\n";
    exchange(host.address(), format!("{head}3\r\nabc\r\n0\r\nEnd: 1\r\n\r\n"));
    let request = upstream.last();
    assert_eq!((request.body.as_slice(), request.header("x-saw")), (&b"abc"[..], Some("abc")));
    assert_eq!(request.trailers, [("end".to_owned(), b"1".to_vec())], "{}", host.log());
}
