//! The admin listener: the metrics of plugins, and whether the host is there.

use crate::assert_ends;
use fixtures::{Host, Upstream, exchange, get, library};
use std::net::SocketAddr;

fn start(upstream: &Upstream) -> (Host, SocketAddr) {
    let plugin = format!("--pre-plugin={}", library("logs").display());
    let target = format!("--target={}", upstream.url());
    let host = Host::start(&[&target, &plugin, "--admin=127.0.0.1:0"]);
    let line = host.wait_for_log("metrics are at http://");
    let (_, rest) = line.split_once("http://").unwrap();
    let admin = rest.split('/').next().unwrap().parse().unwrap();
    (host, admin)
}

#[test]
fn metrics_of_plugins_are_shown_under_their_names() {
    let upstream = Upstream::echo();
    let (host, admin) = start(&upstream);
    let shows = |line: &str| {
        let metrics = get(admin, "/metrics", &[]);
        assert_eq!(metrics.status, 200);
        let text = metrics.text();
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    };
    shows("logs_asked_total{plugin=\"logs\"} 0.0");
    for _ in 0..2 {
        assert_eq!(get(host.address(), "/", &[("x-do", "metrics")]).status, 200);
    }
    shows("# HELP logs_asked How often it was asked for.");
    shows("# TYPE logs_asked counter");
    shows("logs_asked_total{plugin=\"logs\"} 4.0");
    shows("logs_level{plugin=\"logs\",unit=\"none\"} 1.5");
    shows("logs_seconds_sum{plugin=\"logs\"} 0.5");
    shows("logs_seconds_count{plugin=\"logs\"} 2");
    assert_eq!(get(host.address(), "/", &[("x-do", "fail")]).status, 500);
    shows("tenon_plugin_failures_total{plugin=\"logs\",kind=\"error\"} 1");
}

#[test]
fn other_paths_and_methods_are_answered_too() {
    let upstream = Upstream::echo();
    let (_host, admin) = start(&upstream);
    let health = get(admin, "/healthz", &[]);
    assert_eq!((health.status, health.text()), (200, "ok\n"));
    let other = get(admin, "/", &[]);
    assert_eq!((other.status, other.text()), (404, "try /metrics or /healthz\n"));
    let post = exchange(admin, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((post.status, post.header("allow")), (405, Some("GET")));
    assert!(upstream.requests().is_empty());
}

/// It has no authentication.
#[test]
fn it_is_not_opened_to_other_machines() {
    for place in [":9901", "0.0.0.0:9901", "[::]:9901", "192.0.2.1:9901"] {
        let output = Host::fails(&["--target=http://127.0.0.1:1", "--admin", place]);
        assert_ends(&output, 2, &[place, "can be reached from other machines; use 127.0.0.1:PORT"]);
    }
}
