//! What a client says of itself: where it comes from, and who it is.

use crate::proxy;
use fixtures::{Request, Upstream, exchange, get};

/// What a client could want the upstream to believe.
const CLAIMS: [(&str, &str); 9] = [
    ("X-Forwarded-For", "10.1.2.3"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "443"),
    ("X_Forwarded_For", "10.1.2.3"),
    ("Forwarded", "for=10.1.2.3"),
    ("X-Real-IP", "10.1.2.3"),
    ("X_Real_IP", "10.1.2.3"),
    ("X-Forwarded-User", "root"),
];

fn forwarded(request: &Request) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let all = request.headers.iter();
    let all = all.map(|(name, value)| (name.to_lowercase().replace('_', "-"), text(value)));
    let mut found: Vec<_> = all
        .filter(|(name, _)| {
            ["x-forwarded-", "forwarded", "x-real-ip"].iter().any(|it| name.starts_with(it))
        })
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn a_stranger_is_not_believed_where_it_comes_from() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &["--trusted-proxy", "10.0.0.0/8"]);
    assert_eq!(get(host.address(), "/", &CLAIMS).status, 200);
    let expected = [
        ("x-forwarded-for", "127.0.0.1".to_owned()),
        ("x-forwarded-host", host.address().to_string()),
        ("x-forwarded-proto", "http".to_owned()),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(forwarded(&upstream.last()), expected);
}

#[test]
fn a_trusted_proxy_is_believed_where_its_client_comes_from() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &["--trusted-proxy", "127.0.0.0/8"]);
    assert_eq!(get(host.address(), "/", &CLAIMS).status, 200);
    let request = upstream.last();
    assert_eq!(request.values("x-forwarded-for"), ["10.1.2.3, 127.0.0.1"]);
    for (name, value) in &CLAIMS[1..] {
        assert_eq!(request.values(name), [*value], "{name}");
    }
    let two = [("X-Forwarded-For", "10.1.2.3, 10.1.2.4"), ("X-Forwarded-For", "10.1.2.5")];
    get(host.address(), "/", &two);
    let request = upstream.last();
    assert_eq!(request.values("x-forwarded-for"), ["10.1.2.3, 10.1.2.4, 10.1.2.5, 127.0.0.1"]);
    assert_eq!(request.values("x-forwarded-proto"), ["http"]);
}

/// The access record shows whom the host takes for the client.
#[test]
fn each_trusted_hop_vouches_for_the_one_in_front_of_it_only() {
    let upstream = Upstream::echo();
    let host =
        proxy(&upstream, &["--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "10.9.0.0/16"]);
    for (target, sent, client) in [
        ("/1", "10.1.1.1", "10.1.1.1"),
        ("/2", "6.6.6.6, 10.1.1.1, 10.9.0.1", "10.1.1.1"),
        ("/3", "6.6.6.6, nonsense, 10.9.0.1", "10.9.0.1"),
        ("/4", "nonsense", "127.0.0.1"),
        ("/5", "6.6.6.6, 10.1.1.1:51234, ::ffff:10.9.0.1", "10.1.1.1"),
    ] {
        get(host.address(), target, &[("X-Forwarded-For", sent)]);
        let line = host.wait_for_stdout(&format!("target=\"{target}\""));
        assert!(line.contains(&format!(" client={client} ")), "{sent}: {line}");
    }
}

#[test]
fn nobody_says_himself_who_he_is() {
    let upstream = Upstream::echo();
    // Not even a trusted proxy: it knows addresses, not users.
    let host = proxy(&upstream, &["--trusted-proxy", "127.0.0.0/8"]);
    get(host.address(), "/", &[("Username", "root"), ("USERNAME", "root"), ("Usernames", "fine")]);
    let request = upstream.last();
    assert_eq!((request.header("username"), request.header("usernames")), (None, Some("fine")));

    let host = proxy(&upstream, &["--identity-header", "X-Remote-User"]);
    let sent = ["X-Remote-User", "X_Remote_User", "x-remote_USER", "X-Remote_User"];
    get(host.address(), "/", &sent.map(|name| (name, "root")));
    let head = String::from_utf8(upstream.last().head).unwrap();
    assert!(!head.contains("root"), "{head}");
    get(host.address(), "/", &[("Username", "nobody's business")]);
    assert_eq!(upstream.last().header("username"), Some("nobody's business"));
}

#[test]
fn the_host_that_was_asked_is_said_behind_the_target_s_own() {
    let upstream = Upstream::echo();
    let own = upstream.address().to_string();
    for (args, seen) in [([].as_slice(), own.as_str()), (&["--preserve-host"], "site.example:80")] {
        let host = proxy(&upstream, args);
        exchange(host.address(), "GET / HTTP/1.1\r\nHost: site.example:80\r\n\r\n");
        let request = upstream.last();
        assert_eq!(request.values("host"), [seen], "{args:?}");
        assert_eq!(request.values("x-forwarded-host"), ["site.example:80"], "{args:?}");
    }
}
