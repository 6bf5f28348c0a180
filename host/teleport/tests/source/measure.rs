//! How fast it is; run by hand, in release.

use crate::kit::{Running, Scene};
use fake_teleport::World;
use std::time::Instant;

/// `cargo test --release -p host-teleport --test source measure -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_million_events() {
    for windowed in [false, true] {
        const EVENTS: u64 = 1_000_000;
        let scene = Scene::new(World::new(10, 8, EVENTS));
        scene.fake.faults(|it| it.unimplemented = windowed);
        let mut config = scene.config();
        config.batch = 1000;
        config.timing.save = std::time::Duration::from_millis(500);
        let mut running = Running::start(config).await;
        let (began, mut count, mut bytes) = (Instant::now(), 0_u64, 0);
        while let Some(read) = running.next().await {
            count += 1;
            bytes += read.json.len();
            read.done.done();
        }
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(count, EVENTS);
        let (rate, megabytes) = (EVENTS as f64 / seconds, bytes as f64 / 1e6 / seconds);
        let way = if windowed { "windows" } else { "bulk" };
        println!("{way}: {rate:.0} events/s, {megabytes:.0} MB/s of JSON");
    }
}
