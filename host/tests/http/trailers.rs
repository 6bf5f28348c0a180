//! Trailers, and the interim answer that asks for a body.

use crate::{proxy, proxy_to};
use fixtures::{Connection, Launch, Upstream, exchange};

#[test]
fn trailers_go_both_ways() {
    let upstream = Upstream::respond(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-More\r\n\r\n\
          5\r\n12345\r\n0\r\nX-Sum: 15\r\nX-More: x\r\n\r\n"
            .to_vec()
    });
    let host = proxy(&upstream, &[]);
    let reply = exchange(
        host.address(),
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Check\r\n\
         TE: trailers\r\nConnection: TE\r\n\r\n3\r\nabc\r\n0\r\nX-Check: 6\r\n\r\n",
    );
    assert_eq!((reply.text(), reply.complete), ("12345", true));
    assert_eq!((reply.trailer("x-sum"), reply.trailer("x-more")), (Some("15"), Some("x")));
    let request = upstream.last();
    assert_eq!(request.body, b"abc");
    assert_eq!(request.trailers.len(), 1, "{:?}", request.trailers);
    assert!(request.trailers[0].0.eq_ignore_ascii_case("x-check"));
    assert_eq!(request.trailers[0].1, b"6");
    assert_eq!(request.header("te"), Some("trailers"));
}

/// RFC 9110, section 6.5.1: only who says `TE: trailers` is known to look at them.
#[test]
fn a_client_that_does_not_ask_for_trailers_gets_the_body_without() {
    let upstream = Upstream::respond(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
          5\r\n12345\r\n0\r\nX-Sum: 15\r\n\r\n"
            .to_vec()
    });
    let host = proxy(&upstream, &[]);
    let reply = exchange(host.address(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((reply.text(), reply.complete, reply.trailers.len()), ("12345", true, 0));
}

const EXPECTS: &str =
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";

#[test]
fn a_body_is_asked_for_once_its_request_is_admitted() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let mut connection = Connection::open(host.address());
    for _ in 0..2 {
        connection.send(EXPECTS);
        assert_eq!(connection.read().status, 100);
        connection.send("body");
        assert_eq!(connection.read().status, 200);
        let request = upstream.last();
        assert_eq!((request.body.as_slice(), request.header("expect")), (b"body".as_slice(), None));
    }
}

#[test]
fn no_body_is_asked_for_that_nobody_would_read() {
    let upstream = Upstream::echo();
    let target = upstream.url();
    let host = Launch::new(&["--target", &target, "--basic-user", "test"])
        .env("TENON_BASIC_PASSWORD", "test")
        .start();
    let mut connection = Connection::open(host.address());
    connection.send(EXPECTS);
    assert_eq!(connection.read().status, 401, "the first answer is the last one");
    assert!(upstream.requests().is_empty());

    drop(upstream); // nothing listens there any more
    let host = proxy_to(&target, &[]);
    let mut connection = Connection::open(host.address());
    connection.send(EXPECTS);
    assert_eq!(connection.read().status, 502);
}

#[test]
fn other_expectations_are_refused() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let raw = "GET / HTTP/1.1\r\nHost: a\r\nExpect: the-unexpected\r\n\r\n";
    assert_eq!(exchange(host.address(), raw).status, 417);
    assert!(upstream.requests().is_empty());
}

/// An upstream may take trailers for headers (RFC 9110, section 6.5.2).
#[test]
fn nobody_says_in_a_trailer_who_he_is() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    exchange(
        host.address(),
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
         Trailer: Username, X-Forwarded-For, X-Check\r\n\r\n\
         3\r\nabc\r\n0\r\nUsername: root\r\nX-Forwarded-For: 1.1.1.1\r\nX-Check: 6\r\n\r\n",
    );
    let request = upstream.last();
    assert_eq!(request.trailers.len(), 1, "{:?}", request.trailers);
    assert!(request.trailers[0].0.eq_ignore_ascii_case("x-check"));
}
