//! Connections that serve many requests, on both sides.

use crate::raw::{self, skip_head};
use crate::{proxy, proxy_to};
use fixtures::{Connection, Upstream, exchange, get};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn one_connection_is_enough_on_either_side() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let mut connection = Connection::open(host.address());
    for at in 0..50 {
        connection.send(format!("POST /{at} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"));
        let reply = connection.read();
        assert!(reply.text().starts_with(&format!("POST /{at} ")), "{}", reply.text());
    }
    assert_eq!((upstream.requests().len(), upstream.connections()), (50, 1));
}

#[test]
fn a_connection_after_connection_close_is_not_used_again() {
    let upstream = Upstream::respond(|_| {
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let host = proxy(&upstream, &[]);
    let mut connection = Connection::open(host.address());
    for _ in 0..10 {
        connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(connection.read().status, 200);
    }
    assert_eq!(upstream.connections(), 10);
}

/// Answers so many requests of a connection, and ends it at the next: as an upstream does whose
/// limit for idle connections is over in the moment in which they are used.
fn ends_connections(answered: usize) -> (String, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let url = raw::upstream(move |mut stream| {
        for at in 0.. {
            if !skip_head(&mut stream) {
                return;
            }
            counter.fetch_add(1, Ordering::SeqCst);
            if at >= answered {
                return;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    (url, seen)
}

#[test]
fn a_request_that_met_a_connection_s_end_is_sent_again() {
    let (url, seen) = ends_connections(1);
    let host = proxy_to(&url, &[]);
    let mut connection = Connection::open(host.address());
    for method in ["GET", "GET", "HEAD", "OPTIONS", "DELETE", "PUT"] {
        connection.send(format!("{method} /a?b HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n"));
        let reply = connection.read();
        assert_eq!(reply.status, 200, "{method}:\n{}", host.log());
    }
    assert!(seen.load(Ordering::SeqCst) > 6, "no connection has ended under a request");
}

#[test]
fn a_request_that_may_have_done_something_is_sent_once() {
    let (url, seen) = ends_connections(1);
    let host = proxy_to(&url, &[]);
    let mut connection = Connection::open(host.address());
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.read().status, 200);
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(connection.read().status, 502);
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

#[test]
fn a_request_is_sent_twice_at_most() {
    let (url, seen) = ends_connections(0);
    let host = proxy_to(&url, &[]);
    assert_eq!(get(host.address(), "/", &[]).status, 502);
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    let with_body = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(exchange(host.address(), with_body).status, 502);
    assert_eq!(seen.load(Ordering::SeqCst), 3, "its body is gone");
}

#[test]
fn what_is_sent_again_is_the_same() {
    let upstream = Upstream::serve(|request, stream| {
        if request.target == "/again" && request.header("x-seen").is_none() {
            return Ok(fixtures::After::Close);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        Ok(fixtures::After::KeepAlive)
    });
    let host = proxy(&upstream, &[]);
    assert_eq!(get(host.address(), "/again", &[("X-A", "b"), ("Cookie", "c")]).status, 502);
    let requests = upstream.wait_for(2);
    assert_eq!(requests[0].head, requests[1].head);
}

#[test]
fn a_connection_is_used_again_after_trailers() {
    let upstream = Upstream::respond(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
          5\r\n12345\r\n0\r\nX-Sum: 15\r\n\r\n"
            .to_vec()
    });
    let host = proxy(&upstream, &[]);
    let mut connection = Connection::open(host.address());
    for _ in 0..5 {
        connection.send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n");
        assert_eq!(connection.read().trailer("x-sum"), Some("15"));
    }
    assert_eq!(upstream.connections(), 1);
}
