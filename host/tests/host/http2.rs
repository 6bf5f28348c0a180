//! HTTP/2 (RFC 9113) on either side, with HTTP/1.1 or HTTP/2 on the other.

use crate::h2::{self, AnyBody};
use bytes::Bytes;
use fixtures::{After, Host, certificates, get};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::sync::Barrier;

/// Answers with the version and the path that it saw, and the body.
async fn echo(request: Request<Incoming>) -> Response<AnyBody> {
    let line = format!("{:?} {} ", request.version(), request.uri().path());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Response::new(Full::from([line.as_bytes(), &body].concat()).boxed())
}

fn start(target: &str, more: &[&str]) -> Host {
    Host::start(&[&["--target", target], more].concat())
}

#[test]
fn an_http1_upstream_sees_plain_http1() {
    let upstream = fixtures::Upstream::echo();
    let host = start(&upstream.url(), &["--preserve-host"]);
    let response = h2::run(async {
        let mut client = h2::connect(host.address()).await;
        let request = h2::get("/a?b").header("cookie", "a=1").header("cookie", "b=2; c=3");
        let request = request.header("te", "trailers").body(h2::empty()).unwrap();
        client.send_request(request).await.unwrap()
    });
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    let seen = upstream.last();
    assert!(seen.head.starts_with(b"GET /a?b HTTP/1.1\r\n"), "{seen:?}");
    assert_eq!(seen.values("host"), ["tenon.test"]);
    assert_eq!(seen.values("x-forwarded-host"), ["tenon.test"]);
    assert_eq!(seen.values("cookie"), ["a=1; b=2; c=3"], "RFC 9113, section 8.2.3");
}

#[test]
fn bodies_go_both_ways() {
    let upstream = fixtures::Upstream::respond(|request| {
        let length = request.body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), &request.body].concat()
    });
    let host = start(&upstream.url(), &[]);
    let sent = Bytes::from(vec![7; 3 << 20]); // more than a window
    let got = h2::run(async {
        let mut client = h2::connect(host.address()).await;
        let request = Request::post("http://tenon.test/").body(Full::new(sent.clone()).boxed());
        let response = client.send_request(request.unwrap()).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    });
    assert!(got == sent, "{} bytes came back", got.len());
}

#[test]
fn it_is_negotiated_with_tls() {
    let (upstream, files) = (fixtures::Upstream::echo(), certificates());
    let certificate = format!("--tls-cert={}", files.server_certificate.display());
    let key = format!("--tls-key={}", files.server_key.display());
    let host = start(&upstream.url(), &[&certificate, &key]);
    let status = h2::run(async {
        let mut client = h2::connect_tls(host.address(), &files).await;
        client.send_request(h2::get("/").body(h2::empty()).unwrap()).await.unwrap().status()
    });
    assert_eq!(
        (status, upstream.last().header("x-forwarded-proto")),
        (StatusCode::OK, Some("https"))
    );
}

/// The upstream answers nobody before all have asked.
#[test]
fn streams_of_a_connection_are_served_at_once() {
    const STREAMS: usize = 64;
    static ALL: Barrier = Barrier::new(STREAMS);
    let upstream = fixtures::Upstream::serve(|request, stream| {
        ALL.wait();
        let length = request.target.len();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{}", request.target)?;
        Ok(After::KeepAlive)
    });
    let host = start(&upstream.url(), &[]);
    h2::run(async {
        let client = h2::connect(host.address()).await;
        let requests: Vec<_> = (0..STREAMS)
            .map(|number| {
                let mut client = client.clone();
                tokio::spawn(async move {
                    let path = format!("/{number}");
                    let request = h2::get(&path).body(h2::empty()).unwrap();
                    let response = client.send_request(request).await.unwrap();
                    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), path);
                })
            })
            .collect();
        for request in requests {
            request.await.unwrap();
        }
    });
    assert_eq!(upstream.requests().len(), STREAMS);
}

#[test]
fn the_upstreams_protocol_is_what_the_flag_says() {
    let upstream = h2::Upstream::start(echo);
    let target = upstream.url("http");
    for (flag, seen) in [("auto", "HTTP/1.1 /x "), ("1", "HTTP/1.1 /x "), ("2", "HTTP/2.0 /x ")] {
        let host = start(&target, &["--upstream-http", flag]);
        assert_eq!(get(host.address(), "/x", &[]).text(), seen, "from HTTP/1.1 with {flag}");
        let text = h2::run(async {
            let mut client = h2::connect(host.address()).await;
            let request = h2::get("/x").body(h2::empty()).unwrap();
            let response = client.send_request(request).await.unwrap();
            response.into_body().collect().await.unwrap().to_bytes()
        });
        assert_eq!(text, seen, "from HTTP/2 with {flag}");
    }
}

#[test]
fn with_tls_the_upstream_chooses_its_protocol() {
    let files = certificates();
    let ca = format!("--upstream-ca={}", files.ca.display());
    let seen = |alpn: &[&str], flag: &str| {
        let upstream = h2::Upstream::tls(&files, alpn, echo);
        let host = start(&upstream.url("https"), &[&ca, "--upstream-http", flag]);
        let reply = get(host.address(), "/x", &[]);
        (reply.status, upstream.seen().first().map(|(version, _)| *version))
    };
    let (one, two) = (Some(Version::HTTP_11), Some(Version::HTTP_2));
    assert_eq!(seen(&["h2", "http/1.1"], "auto"), (200, two));
    assert_eq!(seen(&["http/1.1"], "auto"), (200, one));
    assert_eq!(seen(&[], "auto"), (200, one));
    assert_eq!(seen(&["h2", "http/1.1"], "1"), (200, one));
    assert_eq!(seen(&["h2", "http/1.1"], "2"), (200, two));
    assert_eq!(seen(&["http/1.1"], "2"), (502, None));
}

/// What belongs to an HTTP/1.1 connection has no place in HTTP/2 (RFC 9113, section 8.2.2).
#[test]
fn an_http2_upstream_sees_no_headers_of_the_clients_connection() {
    let upstream = h2::Upstream::start(echo);
    let host = start(&upstream.url("http"), &["--upstream-http=2"]);
    let headers = [("Connection", "x-hop"), ("X-Hop", "1"), ("Keep-Alive", "1"), ("X-End", "1")];
    assert_eq!(get(host.address(), "/", &headers).status, 200);
    let (version, headers) = &upstream.seen()[0];
    assert_eq!(*version, Version::HTTP_2);
    let present = ["connection", "keep-alive", "x-hop", "x-end"].map(|it| headers.contains_key(it));
    assert_eq!(present, [false, false, false, true], "{headers:?}");
}

#[test]
fn the_limits_hold_for_http2_too() {
    let upstream = fixtures::Upstream::echo();
    let host = start(&upstream.url(), &["--max-header-bytes=8192", "--max-headers=10"]);
    h2::run(async {
        let mut client = h2::connect(host.address()).await;
        let mut status = async |request: http::request::Builder| {
            client.send_request(request.body(h2::empty()).unwrap()).await.unwrap().status()
        };
        let headers = |count| {
            (0..count)
                .fold(h2::get("/"), |request, number| request.header(format!("x-{number}"), "1"))
        };
        assert_eq!(status(headers(10)).await, 200);
        assert_eq!(status(headers(11)).await, 431);
        assert_eq!(status(h2::get("/").header("x-a", "a".repeat(7000))).await, 200);
        assert_eq!(status(h2::get("/").header("x-a", "a".repeat(9000))).await, 431);
        let connect = Request::connect("tenon.test:443");
        assert_eq!(status(connect).await, 405, "for forward proxies");
    });
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn malformed_requests_are_refused_and_the_connection_goes_on() {
    let upstream = fixtures::Upstream::echo();
    let host = start(&upstream.url(), &[]);
    h2::run(async {
        let mut client = h2::connect(host.address()).await;
        let mut status = async |request: http::request::Builder| {
            client.send_request(request.body(h2::empty()).unwrap()).await.unwrap().status()
        };
        assert_eq!(status(h2::get("/").header("host", "other")).await, 400, "section 8.3.1");
        assert_eq!(status(h2::get("/").header("x-a", " b")).await, 400, "section 8.2.1");
        assert_eq!(status(h2::get("/").header("x-a", "b\t")).await, 400, "section 8.2.1");
        assert_eq!(status(h2::get("/").header("host", "Tenon.test")).await, 200);
    });
    assert_eq!(upstream.requests().len(), 1);
}
