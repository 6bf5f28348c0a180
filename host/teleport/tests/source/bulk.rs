//! The bulk export when all is well.

use crate::kit::{Running, Scene, until};
use fake_teleport::{World, expected};
use std::collections::HashSet;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn every_event_comes_once_byte_for_byte_as_it_was() {
    let scene = Scene::new(World::new(3, 4, 5000));
    let taken = scene.all(scene.config()).await;
    taken.are_exactly(5000);
    let world = scene.fake.world().clone();
    for (session, uid, _, json) in &taken.events {
        let number: u64 = uid.parse().unwrap();
        let segment = world.segments.iter().rfind(|it| it.first <= number).unwrap();
        let of = i128::from(number - segment.first) * i128::from(segment.span);
        let time = segment.start + i64::try_from(of / i128::from(segment.count)).unwrap();
        assert_eq!((session, json), (&None, &expected(number, time)));
    }
    assert_eq!(taken.metrics.progress().events, 5000);
    assert_eq!(taken.metrics.progress().chunks_done, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_are_read_side_by_side() {
    // Serial export was too slow: the first events of all chunks come before the end of any.
    let scene = Scene::new(World::new(1, 4, 40_000));
    let mut config = scene.config();
    (config.concurrency, config.in_flight) = (4, 100_000);
    let mut running = Running::start(config).await;
    let world = scene.fake.world().clone();
    let (mut begun, mut count) = (HashSet::new(), 0);
    while begun.len() < 4 {
        let read = running.next().await.unwrap();
        let number: u64 = read.uid.parse().unwrap();
        begun.insert(world.segments.iter().rposition(|it| it.first <= number).unwrap());
        read.done.done();
        count += 1;
    }
    assert!(count < 30_000, "{count} events before the fourth chunk");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_chosen_and_the_cursor_moves_over_the_others() {
    // The event handler ignores `types` here.
    let scene = Scene::new(World::new(2, 2, 1000));
    let mut config = scene.config();
    config.types = ["user.login", "cert.create"].map(str::to_owned).into();
    config.skip_event_types = ["cert.create".to_owned()].into();
    let taken = scene.all(config.clone()).await;
    assert_eq!((taken.kinds(), taken.events.len()), (vec!["user.login"], 200));

    config.types = ["nothing".to_owned()].into();
    config.storage = scene.path("another");
    assert_eq!(scene.all(config).await.events.len(), 0);
    let folder = scene
        .path("another")
        .join(scene.state("cursor_v2").strip_prefix(scene.path("state")).unwrap());
    let mut completed = 0;
    for day in fs::read_dir(folder).unwrap() {
        let chunks = fs::read_to_string(day.unwrap().path().join("completed-chunks"));
        completed += chunks.unwrap_or_default().lines().count();
    }
    assert_eq!(completed, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_come_later_are_not_missed() {
    let mut world = World::new(2, 2, 400);
    // A chunk of yesterday that the storage has not listed yet.
    world.segments[1].hidden = true;
    let hidden = usize::try_from(world.segments[1].count).unwrap();
    let scene = Scene::new(world);
    let mut running = Running::start(scene.endless()).await;
    let mut taken = running.take(400 - hidden).await;
    scene.fake.world().add(50);
    taken.add(running.take(50).await);
    scene.fake.world().segments[1].hidden = false;
    taken.add(running.take(hidden).await);
    taken.add(running.stop().await);
    taken.are_exactly(450);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_events_are_out_than_there_is_room_for() {
    let scene = Scene::new(World::new(1, 4, 1000));
    let mut config = scene.config();
    config.in_flight = 10;
    let mut running = Running::start(config).await;
    let mut out = Vec::new();
    for _ in 0..10 {
        out.push(running.next().await.unwrap());
    }
    // Each of the four chunks has one more, and waits for room with it.
    until("all room is taken", || running.metrics.progress().events >= 14).await;
    assert!(running.events.try_recv().is_err(), "an eleventh event is out");
    // Done in the reverse order: the cursor waits, the room does not.
    out.into_iter().rev().for_each(|read| read.done.done());
    let rest = running.take(990).await;
    assert_eq!(rest.events.len(), 990);
    assert!(running.next().await.is_none());
    running.ended().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_say_what_was_read_and_how_far_it_is() {
    let scene = Scene::new(World::new(2, 2, 100));
    let taken = scene.all(scene.config()).await;
    let mut registry = prometheus_client::registry::Registry::default();
    taken.metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "tenon_teleport_events_total{type=\"user.login\"} 20\n",
        "tenon_teleport_chunks_done_total 4\n",
        "tenon_teleport_chunks_open 0\n",
        "tenon_teleport_session_backlog 0\n",
        "tenon_teleport_lag_seconds ",
        "tenon_teleport_certificate_expires ",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(taken.metrics.lag().unwrap().as_secs() < 86_400);
}
