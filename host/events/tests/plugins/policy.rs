//! What becomes of an event when its plugin fails is the manifest's to say.

use crate::kit::{TIMEOUT, World, ask, login, manifest};
use host_events::{Chain, Manifest, OnError};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn the_event_passes_is_dropped_or_stops_all() {
    let world = World::new();
    let policy = |on_error| Manifest { on_error, ..manifest("error") };
    let pass = world.load(policy(OnError::Pass)).await;
    assert!(ask(&pass, vec![login("a")]).await[0].is_some());
    let drop = world.load(policy(OnError::Drop)).await;
    assert!(ask(&drop, vec![login("a")]).await[0].is_none());
    let stop = world.load(policy(OnError::Stop)).await;
    let stopped = stop.handle(&mut [Some(login("a"))]).await.unwrap_err().to_string();
    assert!(stopped.contains("event plugin error failed: "), "{stopped}");
    assert!(stopped.ends_with("its configuration says to stop then"), "{stopped}");
}

/// What comes again after a stop has had no effects: nothing was asked behind the event that stopped.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_stops_all_is_asked_about_one_event_at_a_time() {
    for (name, calls) in [("trap_on", 2), ("error", 1)] {
        let world = World::new();
        let on_error = OnError::Stop;
        let plugin = world.load(Manifest { on_error, ..manifest(name) }).await;
        let mut events = ["a", "trap-now", "c"].map(|user| Some(login(user)));
        plugin.handle(&mut events).await.unwrap_err();
        let asked = format!(r#"tenon_event_plugin_seconds_count{{plugin="{name}"}} {calls}"#);
        assert!(world.scraped().contains(&asked), "{}", world.scraped());
        assert_eq!(Chain::new(vec![plugin]).batches(), 1);
    }
    let world = World::new();
    let several = Manifest { concurrency: Some(3), ..manifest("echo") };
    assert_eq!(Chain::new(vec![world.load(several).await]).batches(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_fails_again_and_again_rests_and_its_events_go_on_at_once() {
    let world = World::new();
    let plugin = world.load(manifest("loop")).await;
    let began = Instant::now();
    let events = ask(&plugin, (0..100).map(|n| login(&n.to_string())).collect()).await;
    assert_eq!(events.iter().flatten().count(), 100);
    // Three times the timeout, not a hundred times.
    assert!(began.elapsed() < TIMEOUT * 3 + Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(world.scraped().contains(r#"tenon_event_plugin_discarded_total{plugin="loop"} 3"#));
}
