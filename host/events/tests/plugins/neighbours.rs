//! A healthy plugin does not notice those that misbehave beside it.

use crate::kit::{World, ask, login, manifest};
use host_events::{Chain, Manifest, OnError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn timeouts_and_traps_beside_it_never_end_a_healthy_plugins_call() {
    let world = World::new();
    let mut bad = Vec::new();
    let done = Arc::new(AtomicBool::new(false));
    for name in ["loop", "trap", "eat_memory", "garbage"] {
        let plugin = world.load(Manifest { timeout: Duration::from_millis(20), ..manifest(name) });
        let (plugin, done) = (plugin.await, done.clone());
        bad.push(tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                ask(&plugin, vec![login("a")]).await;
            }
        }));
    }
    let healthy = Manifest {
        timeout: Duration::from_secs(60),
        concurrency: Some(2),
        on_error: OnError::Stop, // any failure fails the test
        ..manifest("sleepy")
    };
    let healthy = world.load(healthy).await;
    for _ in 0..20 {
        assert_eq!(ask(&healthy, vec![login("a"), login("b")]).await.iter().flatten().count(), 2);
    }
    done.store(true, Ordering::Relaxed);
    for bad in bad {
        bad.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_chain_each_sees_what_the_one_before_has_made() {
    let world = World::new();
    let skip = world.load(Manifest::new(fixtures::guest("rust", "skip"))).await;
    let bad = world.load(manifest("trap")).await;
    let count = world.load(Manifest::new(fixtures::guest("rust", "count"))).await;
    let chain = Chain::new(vec![skip, bad, count]);
    let santa = || Some(login("secret-santa"));
    let mut events = vec![santa(), Some(login("a")), santa(), santa(), santa()];
    chain.handle(&mut events).await.unwrap();
    assert_eq!(
        events.iter().map(Option::is_some).collect::<Vec<_>>(),
        [false, true, false, false, false]
    );
    let counted = r#"tenon_event_plugin_events_total{plugin="count",became="kept"} 1"#;
    assert!(world.scraped().contains(counted), "{}", world.scraped());
}
