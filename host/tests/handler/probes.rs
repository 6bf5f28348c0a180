//! The listener for probes and metrics, and those who would keep others out.

use crate::kit::Scene;
use fake_teleport::World;
use fixtures::{Connection, exchange, get};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Less than a probe of a container waits.
#[test]
fn whoever_holds_connections_open_keeps_no_probe_out_and_heads_are_short() {
    let scene = Scene::new(World::new(1, 1, 10), "");
    let host = scene.start(&["--admin", "127.0.0.1:0"]);
    let line = host.wait_for_log("metrics and probes are at http://");
    let address: SocketAddr = line.rsplit_once("http://").unwrap().1.trim().parse().unwrap();
    let held: Vec<_> = (0..100).map(|_| Connection::open(address)).collect();
    let begin = Instant::now();
    for _ in 0..3 {
        assert_eq!(get(address, "/healthz", &[]).status, 200);
    }
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    drop(held);
    let long = format!("GET /{} HTTP/1.1\r\nHost: {address}\r\n\r\n", "a".repeat(20_000));
    let reply = exchange(address, long);
    assert!([414, 431].contains(&reply.status), "{reply:?}");
    assert_eq!(host.stop().code(), Some(0), "{}", host.log());
}
