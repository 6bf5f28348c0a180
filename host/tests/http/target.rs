//! The request's target arrives as it was sent.

use crate::{proxy, proxy_to};
use fixtures::{Host, Upstream, exchange};

fn sent(host: &Host, upstream: &Upstream, target: &str) -> String {
    let raw = format!("GET {target} HTTP/1.1\r\nHost: site.example\r\n\r\n");
    let reply = exchange(host.address(), raw);
    assert_eq!(reply.status, 200, "{target}\n{}", host.log());
    upstream.last().target
}

#[test]
fn a_target_arrives_byte_for_byte() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let long = format!("/{}?{}", "a".repeat(8000), "b".repeat(8000));
    for target in [
        "/",
        "/?",
        "/a?",
        "/a?b=c&b=d&&e",
        "/a%2Fb%2f%20",
        "/a//b///",
        "//a/b",
        "/a/../b/./..",
        "/%2e%2e/..%2f",
        "/%ff%FE%00%",
        "/a?b=%zz+%C3%A4",
        "/a;b=c/d:e@f!$&'()*+,=~",
        "/a?b=/../c?d",
        "/\u{fc}",
        &long,
    ] {
        assert_eq!(sent(&host, &upstream, target), target);
    }
}

#[test]
fn the_target_s_own_path_comes_first() {
    let upstream = Upstream::echo();
    for base in ["/base", "/base/", "/ba%2Fse/deep"] {
        let host = proxy_to(&format!("{}{base}", upstream.url()), &[]);
        let base = base.trim_end_matches('/');
        for target in ["/", "/a/b?c=d", "//a", "/a%2Fb", "/..", "/?"] {
            assert_eq!(sent(&host, &upstream, target), format!("{base}{target}"));
        }
    }
}

#[test]
fn the_authority_of_an_absolute_target_wins_over_the_host() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &["--preserve-host"]);
    for (target, path) in [
        ("http://other.example:81/a?b", "/a?b"),
        ("http://other.example:81", "/"),
        ("http://other.example:81?b", "/?b"),
        ("https://other.example:81//a", "//a"),
    ] {
        assert_eq!(sent(&host, &upstream, target), path, "{target}");
        let request = upstream.last();
        assert_eq!(request.values("host"), ["other.example:81"], "{target}");
        assert_eq!(request.values("x-forwarded-host"), ["other.example:81"], "{target}");
        assert_eq!(request.values("x-forwarded-proto"), ["http"], "{target}");
    }
}

#[test]
fn an_absolute_target_chooses_no_upstream() {
    let (upstream, other) = (Upstream::echo(), Upstream::echo());
    let host = proxy(&upstream, &[]);
    assert_eq!(sent(&host, &upstream, &format!("{}/a", other.url())), "/a");
    assert_eq!(upstream.last().values("host"), [upstream.address().to_string()]);
    assert!(other.requests().is_empty());
}

#[test]
fn options_of_the_server_as_a_whole_are_asked_of_the_upstream() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let reply = exchange(host.address(), "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(reply.status, 200, "{}", host.log());
    let request = upstream.last();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("OPTIONS", "*"));
}

#[test]
fn connect_is_refused_and_ends_the_connection() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let raw = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let (reply, closed) = crate::refusal(host.address(), raw);
    assert_eq!((reply.status, closed), (405, true));
    assert!(upstream.requests().is_empty());
}
