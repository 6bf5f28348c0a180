//! How fast it is, with the cluster and the sink on the same machine, and how much memory it takes.
//! The host is one for figures, as `soak` has it; the cluster and the sink should not be slow either:
//! cargo test --release --test handler -- --ignored measure --nocapture --test-threads 1

use crate::kit::Scene;
use fake_teleport::World;
use fixtures::{Host, guest};
use std::time::{Duration, Instant};

/// The memory that a process has now (`VmRSS`), or had at most (`VmHWM`), in MiB.
fn memory(host: &Host, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
    let line = line.strip_prefix(':').unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() / 1024
}

fn measure(what: &str, events: u64, config: &str, latency: Duration, args: &[&str]) -> u128 {
    let scene = Scene::new(World::new(10, 8, events), config).for_figures();
    scene.sink.blind(latency);
    let host = scene.start(args);
    scene.sink.wait_for(1);
    let begin = Instant::now();
    let over_the_run: Vec<_> = (1..=10)
        .map(|tenth| {
            scene.sink.wait_for(usize::try_from(events * tenth / 10).unwrap());
            memory(&host, "VmRSS")
        })
        .collect();
    let rate = u128::from(events) * 1000 / begin.elapsed().as_millis().max(1);
    let most = memory(&host, "VmHWM");
    eprintln!("{what}: {rate} events a second; MiB by tenths {over_the_run:?}, {most} at most");
    assert_eq!(host.stop().code(), Some(0));
    rate
}

#[test]
#[ignore = "measures"]
fn measure_a_backfill_in_batches_past_a_plugin_that_decodes() {
    let plugin = guest("rust", "decode");
    let args = ["--wasm-plugin", plugin.to_str().unwrap()];
    let rate = measure("batches", 1_000_000, "batch = 500\n", Duration::ZERO, &args);
    assert!(rate >= 50_000, "{rate}");
}

/// The original sends one after another: 40 a second.
#[test]
#[ignore = "measures"]
fn measure_one_post_an_event_to_a_sink_that_takes_25_ms() {
    let rate = measure("one POST an event", 10_000, "", Duration::from_millis(25), &[]);
    assert!(rate >= 3 * 40, "{rate}");
}
