//! The plugin in the real host.

use fixtures::{Host, Upstream, get, library};

fn with(config: &str) -> String {
    format!("{}={config}", library("ip-filter-plugin").display())
}

#[test]
fn a_denied_client_gets_a_403_and_the_upstream_nothing() {
    let upstream = Upstream::echo();
    let plugin = with(r#"{"allow": ["127.0.0.0/8"], "deny": ["127.0.0.1"]}"#);
    let host = Host::start(&[
        "--target",
        &upstream.url(),
        "--pre-plugin",
        &plugin,
        "--admin",
        "127.0.0.1:0",
    ]);
    for _ in 0..2 {
        let reply = get(host.address(), "/", &[]);
        assert_eq!((reply.status, reply.text()), (403, "not from this address\n"));
    }
    assert_eq!(upstream.requests().len(), 0);

    let line = host.wait_for_log("metrics are at http://");
    let (_, rest) = line.split_once("http://").unwrap();
    let (admin, _) = rest.split_once('/').unwrap();
    let metrics = get(admin.parse().unwrap(), "/metrics", &[]);
    let counted = "ip_filter_denied_total{plugin=\"ip-filter-plugin\"} 2";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

#[test]
fn an_allowed_client_passes() {
    let upstream = Upstream::echo();
    let plugin = with(r#"{"allow": ["127.0.0.0/8", "::1"], "deny": ["10.0.0.0/8"]}"#);
    let host = Host::start(&["--target", &upstream.url(), "--pre-plugin", &plugin]);
    assert_eq!(get(host.address(), "/", &[]).status, 200);
}

#[test]
fn a_client_cannot_say_that_it_comes_from_elsewhere() {
    let upstream = Upstream::echo();
    let plugin = with(r#"{"allow": ["10.0.0.0/8"]}"#);
    let host = Host::start(&["--target", &upstream.url(), "--pre-plugin", &plugin]);
    let forged = [("X-Forwarded-For", "10.0.0.1"), ("Forwarded", "for=10.0.0.1")];
    assert_eq!(get(host.address(), "/", &forged).status, 403);
}

#[test]
fn a_wrong_configuration_stops_the_start() {
    for (config, expected) in [
        (r#"{"deny": ["10.0.0.0/33"]}"#, r#""deny": "10.0.0.0/33" is neither an address"#),
        ("{}", r#"it needs "allow" or "deny""#),
    ] {
        let failed =
            Host::fails(&["--target", "http://127.0.0.1:1", "--pre-plugin", &with(config)]);
        assert_eq!(failed.code, Some(1), "{}", failed.stderr);
        assert!(failed.stderr.contains(expected), "{}", failed.stderr);
    }
}
