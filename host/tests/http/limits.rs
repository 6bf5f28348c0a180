//! What a client may not do: send too much of a head, or take too long.

use crate::raw::{self, pause};
use crate::{proxy, refusal};
use fixtures::{Connection, Upstream, get};
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

#[test]
fn a_head_that_is_too_large_is_refused() {
    let upstream = Upstream::echo();
    let large = |bytes| format!("GET / HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n\r\n", "a".repeat(bytes));
    let host = proxy(&upstream, &[]);
    assert_eq!(get(host.address(), "/", &[("X-A", &"a".repeat(60_000))]).status, 200);
    let (reply, closed) = refusal(host.address(), large(70_000));
    assert_eq!((reply.status, closed), (431, true));

    let host = proxy(&upstream, &["--max-header-bytes", "8192"]);
    let (reply, closed) = refusal(host.address(), large(9000));
    assert_eq!((reply.status, closed), (431, true));
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_head_with_too_many_headers_is_refused() {
    let upstream = Upstream::echo();
    let headers = |count: usize| -> String {
        let fields: Vec<_> = (1..count).map(|at| format!("X-{at}: x\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", fields.concat())
    };
    for (args, most) in [(vec![], 100), (vec!["--max-headers", "150"], 150)] {
        let host = proxy(&upstream, &args);
        let reply = fixtures::exchange(host.address(), headers(most));
        assert_eq!(reply.status, 200, "{most}");
        let (reply, closed) = refusal(host.address(), headers(most + 1));
        assert_eq!((reply.status, closed), (431, true), "{most}");
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &["--header-timeout", "300ms"]);
    for sent in ["", "P", "PRI * HTTP/2.0\r\n", "GET ", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut connection = Connection::open(host.address());
        connection.send(sent);
        assert!(connection.is_closed(), "{sent:?}");
    }
    let mut connection = Connection::open(host.address());
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.read().status, 200);
    assert!(connection.is_closed(), "a connection that waits for its next request");
}

#[test]
fn a_head_that_trickles_has_no_longer_than_any_other() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &["--header-timeout", "500ms"]);
    let mut socket = raw::connect(host.address());
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let started = Instant::now();
    let mut trickle =
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Endless: ".iter().chain([b'a'].iter().cycle());
    loop {
        assert!(started.elapsed() < raw::LIMIT, "the connection should end");
        if socket.write_all(&[*trickle.next().unwrap()]).is_err() {
            break;
        }
        match socket.read(&mut [0; 100]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => break,
            Ok(_) => panic!("nothing should be answered"),
        }
    }
    assert!(started.elapsed() >= Duration::from_millis(400), "{:?}", started.elapsed());
}

#[test]
fn a_slow_answer_is_no_slow_head() {
    let upstream = Upstream::respond(|_| {
        pause(700);
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()
    });
    let host = proxy(&upstream, &["--header-timeout", "200ms"]);
    assert_eq!(get(host.address(), "/", &[]).text(), "ok");
    // Shorter than what tells HTTP/1 from HTTP/2.
    assert_eq!(fixtures::exchange(host.address(), "GET / HTTP/1.0\r\n\r\n").text(), "ok");
}

/// Nobody looks at the connection when a slow answer ends, but the timer.
#[test]
fn after_a_slow_answer_too_the_next_head_has_so_long_and_no_longer() {
    let upstream = Upstream::respond(|_| {
        pause(700);
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()
    });
    let host = proxy(&upstream, &["--header-timeout", "300ms"]);
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
    ] {
        let mut connection = Connection::open(host.address());
        connection.send(request);
        assert_eq!(connection.read().text(), "ok");
        connection.send(request);
        assert_eq!(connection.read().text(), "ok", "it is still open");
        assert!(connection.is_closed(), "{request}");
    }
}

/// Answers that nobody has to wait for, one after the other.
#[test]
fn a_connection_that_is_used_stays_open() {
    let upstream = Upstream::echo();
    let flags = ["--header-timeout=500ms", "--basic-user=a", "--basic-password=a"];
    let host = proxy(&upstream, &flags);
    let mut connection = Connection::open(host.address());
    for _ in 0..15 {
        connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(connection.read().status, 401);
        pause(100);
    }
    assert!(connection.is_closed());
}

#[test]
fn a_request_body_that_stops_coming_is_the_client_s_fault() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &["--idle-timeout", "300ms"]);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";
    for part in ["", "half"] {
        let (reply, closed) = refusal(host.address(), format!("{head}{part}"));
        assert_eq!((reply.status, closed), (408, true), "{part:?}");
    }
    host.wait_for_log("a body was cut off: nothing came for 300ms");
    assert!(upstream.requests().iter().all(|request| !request.complete));
}

#[test]
fn an_upload_may_take_longer_than_any_of_its_pieces() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &["--idle-timeout", "800ms"]);
    let mut connection = Connection::open(host.address());
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n");
    for _ in 0..8 {
        pause(200);
        connection.send("x");
    }
    assert_eq!(connection.read().status, 200, "{}", host.log());
    assert_eq!(upstream.last().body, b"xxxxxxxx");
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let endless = raw::upstream(|mut stream| {
        raw::skip_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while stream.write_all(&[b'a'; 4096]).is_ok() {}
    });
    let host = crate::proxy_to(&endless, &["--idle-timeout", "500ms", "--debug"]);
    let mut socket = raw::connect(host.address());
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    host.wait_for_log("the peer does not read what it is sent");
    assert!(host.wait_for_stdout("status=200").ends_with(" aborted=true"));
}
