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
        let mut running = Running::with_room(config, 1024).await;
        let (began, mut count, mut bytes) = (Instant::now(), 0_u64, 0);
        while let Some(read) = running.next().await {
            count += 1;
            bytes += read.json.len();
            read.done.done();
        }
        let milliseconds = began.elapsed().as_millis();
        assert_eq!(count, EVENTS);
        let rate = u128::from(EVENTS) * 1000 / milliseconds;
        let way = if windowed { "windows" } else { "bulk" };
        println!("{way}: {rate} events/s, {} bytes of JSON each", bytes / 1_000_000);
    }
}
