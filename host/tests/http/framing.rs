//! Requests whose end two servers could see at different places (RFC 9112, section 11.2), or whose
//! host. None reaches the upstream.

use crate::{proxy, refusal};
use fixtures::{Upstream, exchange, get};

/// Heads that are refused before anything is sent on, with the bytes that would be smuggled.
const AMBIGUOUS: [(&str, &str); 21] = [
    ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("two equal hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"),
    ("no host", "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n"),
    ("no host but in the target", "GET http://a/ HTTP/1.1\r\nAccept: */*\r\n\r\n"),
    ("a host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    ("a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    (
        "TE, CL",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n\
         0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "CL, TE",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "two lengths",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
    ),
    ("two lengths in one", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6\r\n\r\n123456"),
    ("a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n12345"),
    ("a negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
    ("no length in it", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
    ("xchunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    (
        "gzip, chunked",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunked in HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("bare LF", "GET / HTTP/1.1\nHost: a\n\n"),
    ("one bare LF", "GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n"),
    ("obs-fold", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n"),
    ("space before the colon", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n12345"),
    ("NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n"),
];

#[test]
fn an_ambiguous_head_is_refused_and_ends_its_connection() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    for (what, raw) in AMBIGUOUS {
        let (reply, closed) = refusal(host.address(), raw);
        assert_eq!(reply.status, 400, "{what}: {reply:?}");
        assert!(closed, "{what}: the connection should end");
    }
    assert!(upstream.requests().is_empty(), "{:?}", upstream.requests());
    assert_eq!(get(host.address(), "/", &[]).status, 200);
}

#[test]
fn an_ambiguous_body_never_ends_at_the_upstream() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    for (what, body) in [
        ("LF in a chunk extension", "5;a\nb\r\n12345\r\n0\r\n\r\n"),
        ("bare LF after a chunk size", "5\n12345\r\n0\r\n\r\n"),
        ("a chunk longer than it says", "5\r\n123456\r\n0\r\n\r\n"),
        ("a chunk size that overflows", "ffffffffffffffff5\r\n12345\r\n0\r\n\r\n"),
        ("a chunk size with a sign", "+5\r\n12345\r\n0\r\n\r\n"),
        ("a length in the trailers", "5\r\n12345\r\n0\r\nContent-Length: 5\r\n\r\n"),
        ("a host in the trailers", "5\r\n12345\r\n0\r\nHost: b\r\n\r\n"),
    ] {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        let (reply, closed) = refusal(host.address(), format!("{head}{body}{smuggled}"));
        assert_eq!(reply.status, 400, "{what}: {reply:?}");
        assert!(closed, "{what}: the connection should end");
    }
    // The upstream may have been sent the beginning, but nothing that it could take for whole.
    let whole: Vec<_> = upstream.requests().into_iter().filter(|it| it.complete).collect();
    assert!(whole.is_empty(), "{whole:?}");
}

#[test]
fn one_length_said_twice_is_sent_once() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let twice = "Content-Length: 5\r\nContent-Length: 5\r\n";
    let raw = format!("POST / HTTP/1.1\r\nHost: a\r\n{twice}\r\n12345");
    assert_eq!(exchange(host.address(), raw).status, 200);
    let request = upstream.last();
    assert_eq!(request.values("content-length"), ["5"]);
    assert_eq!(request.body, b"12345");
}

#[test]
fn requests_behind_each_other_stay_apart() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let mut connection = fixtures::Connection::open(host.address());
    connection.send(
        "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0\r\n\r\n\
         POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 29\r\n\r\nGET /smuggled HTTP/1.1\r\nA: \r\n\
         GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    for _ in 0..3 {
        assert_eq!(connection.read().status, 200);
    }
    let requests = upstream.requests();
    let targets: Vec<_> = requests.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(targets, ["/1", "/2", "/3"]);
    assert_eq!(requests[0].body, b"abc");
    assert_eq!(requests[1].body, b"GET /smuggled HTTP/1.1\r\nA: \r\n");
}

/// RFC 9112, section 6.3: of a length and a coding, the coding counts.
#[test]
fn an_upstream_s_length_beside_a_coding_is_dropped() {
    let upstream = Upstream::respond(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
          a\r\n0123456789\r\n0\r\n\r\n"
            .to_vec()
    });
    let host = proxy(&upstream, &[]);
    let reply = fixtures::get(host.address(), "/", &[]);
    assert_eq!((reply.text(), reply.complete), ("0123456789", true));
    assert_eq!(reply.header("content-length"), None);
}
