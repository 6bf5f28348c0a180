//! How fast it is, with the cluster and the sink on the same machine, and how much memory it takes.
//! For a release build: cargo test --release --test handler -- --ignored measure --nocapture

use crate::kit::Scene;
use fake_teleport::World;
use fixtures::{Host, guest};
use std::time::{Duration, Instant};

/// The most memory that a process has had, in MiB.
fn peak(host: &Host) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() / 1024
}

fn measure(what: &str, events: u64, config: &str, latency: Duration, args: &[&str]) -> u128 {
    let scene = Scene::new(World::new(10, 8, events), config);
    scene.sink.blind(latency);
    let host = scene.start(args);
    scene.sink.wait_for(1);
    let begin = Instant::now();
    scene.sink.wait_for(usize::try_from(events).unwrap());
    let rate = u128::from(events) * 1000 / begin.elapsed().as_millis().max(1);
    eprintln!("{what}: {rate} events a second, {} MiB at most", peak(&host));
    assert_eq!(host.stop().code(), Some(0));
    rate
}

#[test]
#[ignore = "measures"]
fn measure_a_backfill_in_batches_past_a_plugin() {
    let plugin = guest("rust", "pass");
    let args = ["--wasm-plugin", plugin.to_str().unwrap()];
    measure("batches", 1_000_000, "batch = 500\n", Duration::ZERO, &args);
}

/// The original sends one after another: 40 a second.
#[test]
#[ignore = "measures"]
fn measure_one_post_an_event_to_a_sink_that_takes_25_ms() {
    let rate = measure("one POST an event", 10_000, "", Duration::from_millis(25), &[]);
    assert!(rate >= 3 * 40, "{rate}");
}
