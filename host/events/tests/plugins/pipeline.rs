//! From the source to the sinks.

use crate::kit::{World, login, manifest};
use host_events::sink::{Delivery, FileSink, Rotation};
use host_events::{Chain, Event, Manifest, OnError, Pipeline, Sink};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc::channel;

/// Keeps what it gets; fails while it is told to.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl Sink for Kept {
    fn name(&self) -> &'static str {
        "kept"
    }

    fn deliver(&mut self, events: Arc<[Event]>) -> Delivery<'_> {
        let lines = events.iter().map(|it| String::from_utf8(it.json().to_vec()).unwrap());
        self.0.lock().unwrap().extend(lines);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Takes nothing.
struct Full;

impl Sink for Full {
    fn name(&self) -> &'static str {
        "full"
    }

    fn deliver(&mut self, _: Arc<[Event]>) -> Delivery<'_> {
        Box::pin(std::future::ready(Err(std::io::Error::other("no room"))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_arrives_in_order_in_every_sink_that_can() {
    let world = World::new();
    let plugin = world.load(Manifest { concurrency: Some(2), ..manifest("echo") }).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let file = FileSink::open(&path, Rotation { bytes: 1 << 30, keep: 1 }).unwrap();
    let kept = Kept::default();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Full), Box::new(kept.clone()), Box::new(file)];
    let pipeline = Pipeline::new(Chain::new(vec![plugin]), sinks, world.metrics.clone());
    let (sender, source) = channel(100);
    let running = tokio::spawn(pipeline.run(source));
    let users: Vec<_> = (0..5000).map(|number| number.to_string()).collect();
    for user in &users {
        sender.send(login(user)).await.unwrap();
    }
    drop(sender);
    running.await.unwrap().unwrap();
    let expected: Vec<_> =
        users.iter().map(|user| String::from_utf8(login(user).json().to_vec()).unwrap()).collect();
    assert_eq!(*kept.0.lock().unwrap(), expected);
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(written.lines().collect::<Vec<_>>(), expected);
    let scraped = world.scraped();
    for line in [
        "tenon_events_received_total 5000",
        r#"tenon_events_delivered_total{sink="file"} 5000"#,
        r#"tenon_events_lost_total{sink="full"} 5000"#,
    ] {
        assert!(scraped.contains(line), "{scraped}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_must_not_fail_ends_the_pipeline() {
    let world = World::new();
    let plugin = world.load(Manifest { on_error: OnError::Stop, ..manifest("trap") }).await;
    let kept = Kept::default();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(kept.clone())];
    let pipeline = Pipeline::new(Chain::new(vec![plugin]), sinks, world.metrics.clone());
    let (sender, source) = channel(1);
    sender.send(login("a")).await.unwrap();
    let stopped = pipeline.run(source).await.unwrap_err().to_string();
    assert!(stopped.contains("trapped"), "{stopped}");
    assert!(kept.0.lock().unwrap().is_empty());
    assert!(sender.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_put_aside_grows_and_one_that_is_gone_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    // So small that the second delivery rotates, into a place that is taken by a folder.
    let mut file = FileSink::open(&path, Rotation { bytes: 1, keep: 1 }).unwrap();
    std::fs::create_dir_all(folder.path().join("events.ndjson.1/taken")).unwrap();
    let deliver = |user: &str| Arc::from([login(user)]);
    file.deliver(deliver("a")).await.unwrap();
    file.deliver(deliver("b")).await.unwrap();
    let lines =
        |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap().lines().count();
    assert_eq!(lines("events.ndjson"), 2);
    std::fs::remove_dir_all(folder.path().join("events.ndjson.1")).unwrap();
    file.deliver(deliver("c")).await.unwrap();
    assert_eq!((lines("events.ndjson"), lines("events.ndjson.1")), (1, 2));
}
