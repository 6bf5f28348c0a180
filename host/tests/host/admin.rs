//! The admin listener of the real host. How it treats requests is in the tests of that.

use crate::assert_ends;
use fixtures::{Connection, Host, Launch, Upstream, get, library};
use serde_json::Value;
use std::net::SocketAddr;

fn start(upstream: &Upstream) -> (Host, SocketAddr) {
    let plugin = format!("--pre-plugin={}", library("logs").display());
    let target = format!("--target={}", upstream.url());
    let host = Host::start(&[&target, &plugin, "--admin=127.0.0.1:0"]);
    let admin = admin_of(&host);
    (host, admin)
}

fn admin_of(host: &Host) -> SocketAddr {
    let line = host.wait_for_log("metrics are at http://");
    let (_, rest) = line.split_once("http://").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
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
fn it_shows_the_real_host() {
    let upstream = Upstream::echo();
    let (host, admin) = start(&upstream);
    for path in ["/", "/a", "/b"] {
        assert_eq!(get(host.address(), path, &[]).status, 200);
    }
    assert_eq!(get(host.address(), "/", &[("x-do", "fail")]).status, 500);
    let reply = get(admin, "/api/status", &[]);
    let status: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((reply.status, &status["pid"]), (200, &host.pid().into()));
    assert_eq!(status["phase"], "serving");
    assert_eq!(status["listening"], host.url(""));
    assert_eq!(status["target"], upstream.url());
    assert_eq!(
        (&status["traffic"]["requests"], &status["traffic"]["failed"]),
        (&4.into(), &1.into())
    );
    let plugins: Vec<_> = status["plugins"].as_array().unwrap().iter().collect();
    let names: Vec<_> = plugins.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["logs", "reverse proxy", "error page"]);
    assert_eq!((&plugins[0]["place"], &plugins[0]["state"]), (&"pre".into(), &"active".into()));
    assert_eq!(plugins[0]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(get(admin, "/readyz", &[]).text(), "ready\n");
    assert_eq!(get(admin, "/healthz", &[]).text(), "ok\n");
    let page = get(admin, "/", &[]);
    assert!(page.text().contains("<title>Tenon</title>"), "{page:?}");
}

/// A probe sends others elsewhere before the port is closed.
#[test]
fn a_host_that_drains_is_not_ready_and_still_alive() {
    let upstream = Upstream::echo();
    let target = format!("--target={}", upstream.url());
    let host = Host::start(&[&target, "--admin=127.0.0.1:0", "--drain-delay=1m"]);
    let admin = admin_of(&host);
    assert_eq!(get(admin, "/readyz", &[]).status, 200);
    host.signal(libc::SIGTERM);
    host.wait_for_log("draining");
    let mut connection = Connection::open(admin);
    let ready = loop {
        connection.send(format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\n\r\n"));
        let reply = connection.read();
        if reply.status != 200 {
            break reply;
        }
    };
    assert_eq!((ready.status, ready.text()), (503, "draining\n"));
    assert_eq!(get(admin, "/healthz", &[]).status, 200);
    host.signal(libc::SIGTERM);
    host.wait();
}

#[test]
fn requests_and_connections_are_counted() {
    let upstream = Upstream::echo();
    let (host, admin) = start(&upstream);
    let mut open = Connection::open(host.address());
    open.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host.address()));
    assert_eq!(open.read().status, 200);
    assert_eq!(get(host.address(), "/", &[("x-do", "fail")]).status, 500);
    let metrics = get(admin, "/metrics", &[]);
    let text = metrics.text();
    for line in [
        "tenon_requests_total{class=\"2xx\"} 1",
        "tenon_requests_total{class=\"5xx\"} 1",
        "tenon_requests_total{class=\"none\"} 0",
        "tenon_request_seconds_count 2",
        "tenon_ready 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
    let gauge = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    };
    assert!(gauge("tenon_connections ") >= 1, "{text}");
    assert!(text.contains("tenon_build_info{version=\""), "{text}");
}

/// Without a token nobody else may reach it, and with one everybody must have it.
#[test]
fn other_machines_need_a_token() {
    for place in [":9901", "0.0.0.0:9901", "[::]:9901", "192.0.2.1:9901"] {
        let output = Host::fails(&["--target=http://127.0.0.1:1", "--admin", place]);
        assert_ends(
            &output,
            2,
            &[place, "can be reached from other machines", "--admin-token-file FILE"],
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let upstream = Upstream::echo();
    let target = format!("--target={}", upstream.url());
    let token = "a token of sixteen".replace(' ', "-");
    let flag = format!("--admin-token-file={}", file.display());
    let missing = Host::fails(&[&target, &flag, "--admin=127.0.0.1:0"]);
    assert_ends(&missing, 1, &["token", "cannot be read"]);
    for weak in ["", "short", "with a space in it"] {
        std::fs::write(&file, weak).unwrap();
        let output = Host::fails(&[&target, &flag, "--admin=127.0.0.1:0"]);
        assert_ends(&output, 2, &["the admin token must be 16 or more"]);
    }
    std::fs::write(&file, format!("{token}\nmore\n")).unwrap();
    let by_file = Launch::new(&[&target, &flag, "--admin=0.0.0.0:0"]);
    let by_environment =
        Launch::new(&[&*target, "--admin=0.0.0.0:0"]).env("TENON_ADMIN_TOKEN", &token);
    for launch in [by_file, by_environment] {
        let host = launch.start();
        let admin = SocketAddr::from(([127, 0, 0, 1], admin_of(&host).port()));
        // It listens a moment before it serves.
        assert!((0..1000).any(|_| get(admin, "/readyz", &[]).status == 200));
        assert_eq!(get(admin, "/metrics", &[]).status, 401);
        let bearer = format!("Bearer {token}");
        assert_eq!(get(admin, "/metrics", &[("Authorization", &bearer)]).status, 200);
        assert!(!host.log().contains(&token));
    }
}
