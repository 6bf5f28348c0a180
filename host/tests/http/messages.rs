//! Versions, methods and statuses that have rules of their own.

use crate::proxy;
use fixtures::{Connection, Upstream, exchange, get};

#[test]
fn http_1_0_is_answered_as_such_and_forwarded_as_1_1() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let mut connection = Connection::open(host.address());
    connection.send("GET /old HTTP/1.0\r\n\r\n");
    let reply = connection.read();
    assert_eq!((reply.status, reply.version), (200, 0));
    assert!(connection.is_closed(), "HTTP/1.0 keeps a connection only if asked to");
    let request = upstream.last();
    assert!(request.head.starts_with(b"GET /old HTTP/1.1\r\n"));
    assert_eq!(request.values("host"), [upstream.address().to_string()]);
    assert_eq!(request.values("x-forwarded-host"), [""; 0]);
}

#[test]
fn http_1_0_gets_no_chunks() {
    let upstream = Upstream::respond(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n".to_vec()
    });
    let host = proxy(&upstream, &[]);
    let reply = exchange(host.address(), "GET / HTTP/1.0\r\n\r\n");
    assert_eq!((reply.status, reply.version, reply.text()), (200, 0, "12345"));
    assert_eq!(reply.header("transfer-encoding"), None);
    assert!(reply.closed, "its end is that of the connection");
}

#[test]
fn http_1_0_keeps_a_connection_if_asked_to() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let mut connection = Connection::open(host.address());
    for _ in 0..2 {
        connection.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let reply = connection.read();
        assert_eq!((reply.status, reply.version), (200, 0));
        assert_eq!(reply.header("connection"), Some("keep-alive"));
    }
}

#[test]
fn an_upstream_of_http_1_0_is_no_concern_of_the_client_s() {
    let upstream = Upstream::respond(|_| b"HTTP/1.0 200 OK\r\n\r\nuntil the end".to_vec());
    let host = proxy(&upstream, &[]);
    let mut connection = Connection::open(host.address());
    for _ in 0..2 {
        connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let reply = connection.read();
        assert_eq!((reply.version, reply.text(), reply.complete), (1, "until the end", true));
        assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
    }
}

#[test]
fn the_answer_to_head_says_what_get_would_get() {
    let upstream = Upstream::respond(|request| {
        let framing = match request.target.as_str() {
            "/length" => "Content-Length: 1234\r\n",
            "/chunked" => "Transfer-Encoding: chunked\r\n",
            _ => "",
        };
        format!("HTTP/1.1 200 OK\r\n{framing}\r\n").into_bytes()
    });
    let host = proxy(&upstream, &[]);
    let mut connection = Connection::open(host.address());
    for (path, length) in [("/length", Some("1234")), ("/chunked", None), ("/neither", None)] {
        connection.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let reply = connection.read();
        assert_eq!((reply.status, reply.header("content-length")), (200, length), "{path}");
    }
    assert_eq!(upstream.last().method, "HEAD");
}

#[test]
fn answers_without_a_body_leave_the_connection_usable() {
    let upstream = Upstream::respond(|request| match request.target.as_str() {
        "/204" => b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n".to_vec(),
        "/304" => b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
    });
    let host = proxy(&upstream, &[]);
    let mut connection = Connection::open(host.address());
    for (path, status) in [("/204", 204), ("/304", 304), ("/200", 200), ("/204", 204)] {
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let reply = connection.read();
        assert_eq!((reply.status, reply.complete), (status, true));
        assert_eq!(reply.header("transfer-encoding"), None, "{path}");
        if status == 304 {
            assert_eq!(reply.header("etag"), Some("\"x\""));
        }
        if status == 204 {
            assert_eq!(reply.header("content-length"), None);
        }
    }
}

#[test]
fn interim_responses_of_the_upstream_are_not_its_answer() {
    let upstream = Upstream::respond(|_| {
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            .to_vec()
    });
    let host = proxy(&upstream, &[]);
    let reply = get(host.address(), "/", &[]);
    assert_eq!((reply.status, reply.text()), (200, "ok"));
}

#[test]
fn methods_and_headers_arrive_as_they_were_sent() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get"] {
        let raw = format!("{method} / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-B: \r\nX-A: 2\r\n\r\n");
        let reply = exchange(host.address(), raw);
        assert_eq!(reply.status, 200, "{method}");
        let request = upstream.last();
        assert_eq!(request.method, method);
        assert_eq!(request.values("x-a"), ["1", "2"]);
        assert_eq!(request.values("x-b"), [""]);
    }
    let latin = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: caf\xe9\r\n\r\n";
    exchange(host.address(), latin);
    let value = upstream.last().headers.into_iter().find(|(name, _)| name == "x-a");
    assert_eq!(value.unwrap().1, b"caf\xe9");
}

#[test]
fn a_get_with_a_body_in_chunks_arrives_with_it() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let head = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let reply = exchange(host.address(), format!("{head}3\r\nabc\r\n0\r\n\r\n"));
    assert_eq!(reply.status, 200);
    let request = upstream.last();
    assert_eq!(request.body, b"abc");
    assert_eq!(request.values("transfer-encoding"), ["chunked"]);
}
