//! Connections that become something else than HTTP.

use crate::proxy;
use crate::raw::pause;
use fixtures::{After, Connection, Stream, Upstream, certificates};
use std::io;

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
     Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const SWITCHES: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
      Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Speaks first, and then says what it hears, up to a `.`.
fn parrot(stream: &mut dyn Stream) -> io::Result<After> {
    stream.write_all(&[SWITCHES, b"hello"].concat())?;
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        stream.write_all(&buffer[..read])?;
        if read == 0 || buffer[..read].ends_with(b".") {
            return Ok(After::Close);
        }
    }
}

fn switched(address: std::net::SocketAddr) -> Connection {
    let mut connection = Connection::open(address);
    connection.send(HANDSHAKE);
    let reply = connection.read();
    assert_eq!(reply.status, 101);
    assert_eq!(reply.header("upgrade"), Some("websocket"));
    assert_eq!(reply.header("connection").map(str::to_lowercase).as_deref(), Some("upgrade"));
    assert_eq!(reply.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    connection
}

fn hear(connection: &mut Connection, expected: &[u8]) {
    let mut heard = vec![0; expected.len()];
    connection.read_exact(&mut heard);
    assert!(heard == expected, "{}", String::from_utf8_lossy(&heard));
}

#[test]
fn a_tunnel_carries_bytes_both_ways_until_either_side_ends_it() {
    let upstream = Upstream::serve(|_, stream| parrot(stream));
    let host = proxy(&upstream, &[]);
    for upstream_ends in [true, false] {
        let mut connection = switched(host.address());
        let request = upstream.last();
        assert_eq!(request.header("upgrade"), Some("websocket"));
        assert_eq!(request.header("connection").map(str::to_lowercase).as_deref(), Some("upgrade"));
        assert_eq!(request.header("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
        hear(&mut connection, b"hello");
        for piece in [b"\x81\x05GET /".as_slice(), &[0xff; 16_000], b"\r\n\r\n"] {
            connection.send(piece);
            hear(&mut connection, piece);
        }
        if upstream_ends {
            connection.send(".");
            hear(&mut connection, b".");
        } else {
            connection.finish();
        }
        assert!(connection.is_closed(), "upstream_ends: {upstream_ends}");
    }
}

/// HTTP/2 has no `Upgrade`: over a connection for which that was negotiated it would go under.
#[test]
fn an_upstream_that_would_rather_speak_http2_is_spoken_to_in_http1() {
    let files = certificates();
    let mut config = (*files.server(false)).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let upstream = Upstream::serve_tls(config.into(), |_, stream| parrot(stream));
    let ca = format!("--upstream-ca={}", files.ca.display());
    for http in ["--upstream-http=auto", "--upstream-http=1", "--upstream-http=2"] {
        let host = proxy(&upstream, &[&ca, http]);
        let mut connection = switched(host.address());
        assert_eq!(upstream.last().header("upgrade"), Some("websocket"), "{http}");
        hear(&mut connection, b"hello");
        connection.send("x.");
        hear(&mut connection, b"x.");
    }
}

#[test]
fn what_follows_a_refused_upgrade_is_never_sent_on() {
    let upstream = Upstream::respond(|_| {
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nno"
            .to_vec()
    });
    let host = proxy(&upstream, &[]);
    let mut connection = Connection::open(host.address());
    connection.send(format!("{HANDSHAKE}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
    let reply = connection.read();
    assert_eq!((reply.status, reply.text(), reply.complete), (426, "no", true));
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(connection.is_closed());
    let targets: Vec<_> = upstream.requests().into_iter().map(|it| it.target).collect();
    assert_eq!(targets, ["/chat"]);
}

#[test]
fn an_upgrade_that_is_none_of_the_upstream_s_business_is_not_forwarded() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    for (what, version, headers) in [
        (
            "h2c",
            1,
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
        ),
        ("h2c in a list", 1, "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n"),
        ("h2c on a line of its own", 1, "Connection: upgrade\r\nUpgrade: H2C\r\nUpgrade: x\r\n"),
        ("not named in Connection", 1, "Upgrade: websocket\r\n"),
        ("HTTP/1.0", 0, "Connection: upgrade\r\nUpgrade: websocket\r\n"),
    ] {
        let mut connection = Connection::open(host.address());
        connection.send(format!("GET / HTTP/1.{version}\r\nHost: a\r\n{headers}\r\n"));
        assert_eq!(connection.read().status, 200, "{what}");
        assert!(connection.is_closed(), "{what}");
        let request = upstream.last();
        for name in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(request.header(name), None, "{what}");
        }
    }
}

#[test]
fn an_upstream_that_switches_unasked_has_failed() {
    let upstream = Upstream::respond(|_| SWITCHES.to_vec());
    let host = proxy(&upstream, &[]);
    let reply = fixtures::get(host.address(), "/", &[]);
    assert_eq!((reply.status, reply.text()), (502, "502 Bad Gateway\n"));
    host.wait_for_log("it switched protocols unasked");
}

#[test]
fn a_login_comes_before_a_tunnel() {
    let upstream = Upstream::serve(|_, stream| parrot(stream));
    let host = fixtures::Launch::new(&["--target", &upstream.url(), "--basic-user", "test"])
        .env("TENON_BASIC_PASSWORD", "test")
        .start();
    let mut connection = Connection::open(host.address());
    connection.send(format!("{HANDSHAKE}\x02\x05hello"));
    assert_eq!(connection.read().status, 401);
    assert!(connection.is_closed());
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_tunnel_may_be_silent_for_longer_than_a_head_may_take() {
    let upstream = Upstream::serve(|_, stream| parrot(stream));
    let host = proxy(&upstream, &["--header-timeout", "200ms"]);
    let mut connection = switched(host.address());
    hear(&mut connection, b"hello");
    pause(600);
    connection.send("still here.");
    hear(&mut connection, b"still here.");
}
