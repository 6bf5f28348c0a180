//! What belongs to one connection stays on it (RFC 9110, section 7.6.1), in both directions.

use crate::proxy;
use fixtures::{Upstream, exchange, get};

#[test]
fn what_a_client_says_of_its_connection_is_not_forwarded() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let sent = [
        ("Connection", "keep-alive, X-Secret , Te"),
        ("Connection", "x-other"),
        ("X-Secret", "1"),
        ("X-Other", "2"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic dGVzdDp0ZXN0"),
        ("TE", "gzip, trailers;q=0.5"),
        ("Trailer", "X-Sum"),
        ("Accept", "*/*"),
    ];
    assert_eq!(get(host.address(), "/", &sent).status, 200);
    let request = upstream.last();
    let names: Vec<_> = request.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    for name in ["keep-alive", "proxy-connection", "proxy-authorization", "trailer", "x-secret"] {
        assert!(!names.iter().any(|it| it == name), "{name} was forwarded: {names:?}");
    }
    assert!(!names.contains(&"x-other".to_owned()), "{names:?}");
    assert!(!names.contains(&"connection".to_owned()), "{names:?}");
    assert_eq!(request.values("accept"), ["*/*"]);
}

#[test]
fn te_is_forwarded_as_far_as_it_says_trailers() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    for (sent, seen) in [
        ("trailers", Some("trailers")),
        ("gzip;q=0.5, Trailers", Some("trailers")),
        ("gzip", None),
        ("trailersX", None),
    ] {
        get(host.address(), "/", &[("TE", sent), ("Connection", "TE")]);
        assert_eq!(upstream.last().header("te"), seen, "{sent}");
    }
}

#[test]
fn nobody_hides_framing_or_host_by_naming_it_in_connection() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let connection = "Connection: Host, Content-Length, X-Forwarded-For, Username\r\n";
    let raw = format!("POST / HTTP/1.1\r\nHost: a\r\n{connection}Content-Length: 5\r\n\r\n12345");
    assert_eq!(exchange(host.address(), raw).status, 200);
    let request = upstream.last();
    assert_eq!(request.values("host"), [upstream.address().to_string()]);
    assert_eq!(request.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!((request.body.as_slice(), request.complete), (b"12345".as_slice(), true));
}

#[test]
fn what_an_upstream_says_of_its_connection_is_not_forwarded() {
    let upstream = Upstream::respond(|_| {
        b"HTTP/1.1 200 OK\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\n\
          Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Kept: 2\r\nContent-Length: 2\r\n\r\nok"
            .to_vec()
    });
    let host = proxy(&upstream, &[]);
    let reply = get(host.address(), "/", &[]);
    assert_eq!((reply.status, reply.text(), reply.complete), (200, "ok", true));
    for name in ["connection", "x-secret", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert_eq!(reply.header(name), None, "{name} was forwarded");
    }
    assert_eq!(reply.header("x-kept"), Some("2"));
}
