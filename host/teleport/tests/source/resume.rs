//! What a restart reads again: nothing after an orderly end, what was out after a crash, and never less.

use crate::kit::{Running, Scene, Taken, milliseconds, until};
use fake_teleport::{Recording, World};
use host_teleport::{Config, Source};
use std::fs;

fn windowed(scene: Scene) -> Scene {
    scene.fake.faults(|it| it.unimplemented = true);
    scene
}

async fn stopped_and_started(scene: &Scene, events: u64) {
    let mut taken = Taken::default();
    for _ in 0..4 {
        let mut running = Running::start(scene.config()).await;
        taken.add(running.take(150).await);
        taken.add(running.stop().await);
    }
    taken.add(scene.all(scene.config()).await);
    taken.are_exactly(events);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_orderly_end_nothing_comes_twice_in_bulk() {
    let scene = Scene::new(World::new(3, 3, 2000));
    stopped_and_started(&scene, 2000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_orderly_end_nothing_comes_twice_in_windows() {
    let scene = windowed(Scene::new(World::new(3, 3, 2000)));
    stopped_and_started(&scene, 2000).await;
}

/// Crashes again and again, with events out of which some are done, in no order.
async fn killed_and_started(scene: &Scene, events: u64) {
    let mut taken = Taken::default();
    for round in 0..6_usize {
        let mut config = scene.config();
        config.in_flight = 64;
        let mut running = Running::start(config).await;
        let mut out = Vec::new();
        for number in 0..200 {
            match running.next().await {
                Some(read) if (number + round) % 7 == 0 && out.len() < 20 => out.push(read),
                Some(read) => taken.take(read),
                None => break,
            }
            if out.len() == 20 {
                out.drain(..10).rev().for_each(|read| taken.take(read));
            }
        }
        running.kill().await;
        drop(out);
    }
    taken.add(scene.all(scene.config()).await);
    assert_eq!(taken.lost(events), Vec::<u64>::new());
    // At most what one run has read after it was last saved comes again.
    assert!(taken.repeated() <= 6 * 264, "{}", taken.repeated());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loses_nothing_in_bulk() {
    killed_and_started(&Scene::new(World::new(2, 3, 2000)), 2000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loses_nothing_in_windows() {
    killed_and_started(&windowed(Scene::new(World::new(2, 3, 2000))), 2000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loses_no_recording() {
    let mut world = World::new(1, 1, 100);
    world.uploads.insert(50, "s1".to_owned());
    world.recordings.insert("s1".to_owned(), Recording { events: 500, ..Recording::default() });
    let scene = Scene::new(world);
    let mut config = scene.config();
    config.skip_session_types.clear();
    let mut taken = Taken::default();
    let mut running = Running::start(config.clone()).await;
    while taken.uids.len() < 200 {
        taken.take(running.next().await.unwrap());
    }
    until("the index is saved", || {
        fs::read(scene.state("sessions1")).is_ok_and(|bytes| bytes[7] > 50)
    })
    .await;
    running.kill().await;
    let again = scene.all(config).await;
    // It goes on where it was saved, not at its beginning.
    assert!(!again.uids.contains_key("s1-0"), "the recording is read from its beginning");
    taken.add(again);
    assert_eq!(taken.uids.len(), 600);
    assert!(!scene.state("sessions1").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_was_only_announced_is_not_forgotten() {
    let mut world = World::new(1, 1, 100);
    world.uploads.insert(50, "s1".to_owned());
    // More than may be out: it is still being read when the crash comes.
    world.recordings.insert("s1".to_owned(), Recording { events: 10_000, ..Recording::default() });
    let scene = Scene::new(world);
    let mut config = scene.config();
    config.skip_session_types.clear(); // a skipped event is done
    let mut running = Running::start(config.clone()).await;
    let (mut taken, mut out) = (Taken::default(), Vec::new());
    while taken.uids.len() < 100 {
        let read = running.next().await.unwrap();
        if read.session.is_some() {
            out.push(read); // nothing of it is done
        } else {
            taken.take(read);
        }
    }
    let days = || fs::read_dir(scene.state("cursor_v2")).into_iter().flatten();
    until("the cursor has passed the announcement", || {
        days().any(|day| day.unwrap().path().join("completed-chunks").exists())
    })
    .await;
    running.kill().await;
    drop(out);
    let again = scene.all(config).await;
    assert_eq!((again.events.len(), again.uids.contains_key("s1-0")), (10_000, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_the_state_is_saved_more_often() {
    let scene = Scene::new(World::new(1, 1, 1000));
    let mut config = scene.config();
    config.in_flight = 50;
    config.timing.save = std::time::Duration::from_secs(3600);
    let mut running = Running::start(config.clone()).await;
    let mut taken = running.take(900).await;
    let saved = || {
        let mut days = fs::read_dir(scene.state("cursor_v2")).ok()?;
        let number = days
            .find_map(|day| fs::read_to_string(day.unwrap().path().join("chunk-0.chunk")).ok())?;
        number.parse::<u64>().ok()
    };
    until("it is saved", || saved() >= Some(800)).await;
    running.kill().await;
    taken.add(scene.all(config).await);
    assert_eq!((taken.lost(1000), taken.repeated() <= 100), (Vec::new(), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_moves_only_over_what_is_done() {
    let scene = Scene::new(World::new(1, 1, 100));
    let mut running = Running::start(scene.config()).await;
    let first = running.next().await.unwrap();
    let rest = running.take(99).await;
    until("all was read", || running.metrics.progress().events == 100).await;
    running.kill().await;
    drop(first);
    let again = scene.all(scene.config()).await;
    assert_eq!((rest.events.len(), again.events.len()), (99, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_handlers_own_windows_go_on() {
    let scene = windowed(Scene::new(World::new(3, 1, 300)));
    // Its second page begins at 20; the last event that it has sent is 27.
    let segment = scene.fake.world().segments[0].clone();
    let start = segment.start / 1000;
    let folder = scene.state("");
    fs::create_dir_all(&folder).unwrap();
    fs::write(scene.state("start_time"), time(start)).unwrap();
    fs::write(scene.state("window_time"), time(start)).unwrap();
    fs::write(scene.state("cursor"), "20").unwrap();
    fs::write(scene.state("id"), "000000000027").unwrap();
    let mut config = scene.config();
    config.start_time = None;
    config.batch = 20;
    let taken = scene.all(config).await;
    assert_eq!((taken.lost(300), taken.repeated()), ((0..28).collect(), 0));
    assert_eq!(fs::read_to_string(scene.state("id")).unwrap(), "000000000299");
    assert_eq!(fs::read_to_string(scene.state("start_time")).unwrap(), time(start));
}

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_handlers_own_chunks_go_on() {
    let scene = Scene::new(World::new(2, 2, 400));
    let days: Vec<_> = scene.fake.world().segments.iter().map(|it| it.day * 86_400).collect();
    let date = |seconds: i64| time(seconds)[..10].to_owned();
    let folder = scene.state("cursor_v2").join(date(days[0]));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("completed-chunks"), "chunk-0\n").unwrap();
    fs::write(folder.join("chunk-1.chunk"), "149").unwrap();
    fs::write(scene.state("start_time"), time(days[0])).unwrap();
    let mut config = scene.config();
    config.start_time = None;
    let taken = scene.all(config).await;
    assert_eq!((taken.lost(400), taken.repeated()), ((0..150).collect(), 0));
    assert!(!folder.join("chunk-1.chunk").exists());
    let mut lines: Vec<_> = fs::read_to_string(folder.join("completed-chunks"))
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, ["chunk-0", "chunk-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_windows_to_the_bulk_export_nothing_is_lost() {
    let scene = windowed(Scene::new(World::new(4, 2, 800)));
    let mut running = Running::start(scene.config()).await;
    let mut taken = running.take(500).await;
    taken.add(running.stop().await);
    scene.fake.faults(|it| it.unimplemented = false);
    let rest = scene.all(scene.config()).await;
    // From the day on at which the windows were.
    assert!(rest.events.len() < 800 - 100, "{} come again", rest.events.len());
    taken.add(rest);
    assert_eq!(taken.lost(800), Vec::<u64>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_lost_the_bulk_export_is_read_on_in_windows() {
    // With a folder `cursor_v2` the event handler never falls back: it stays at "0 events".
    let scene = Scene::new(World::new(4, 2, 800));
    let mut running = Running::start(scene.config()).await;
    let mut taken = running.take(500).await;
    taken.add(running.stop().await);
    scene.fake.faults(|it| it.unimplemented = true);
    let rest = scene.all(scene.config()).await;
    assert!(rest.events.len() < 800, "it begins anew");
    taken.add(rest);
    assert_eq!(taken.lost(800), Vec::<u64>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loses_the_bulk_export_while_we_read_is_read_on_in_windows() {
    let scene = Scene::new(World::new(2, 2, 400));
    let mut running = Running::start(scene.endless()).await;
    let mut taken = running.take(400).await;
    scene.fake.faults(|it| it.unimplemented = true);
    scene.fake.world().add(30);
    while taken.uids.len() < 430 {
        taken.take(running.next().await.unwrap());
    }
    taken.add(running.stop().await);
    assert_eq!(taken.lost(430), Vec::<u64>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_windows_take_over_leave_no_trace() {
    let scene = Scene::new(World::new(2, 2, 400));
    let mut config = Config { in_flight: 2, ..scene.endless() };
    let mut running = Running::start(config.clone()).await;
    let mut taken = running.take(10).await;
    taken.add(running.stop().await);
    // The export goes while chunks are read again, and wait since nobody takes anything.
    config.concurrency = 2;
    let source = Source::open(config).await.unwrap();
    scene.fake.faults(|it| it.unimplemented = true);
    let mut running = Running::run(source, 1);
    scene.fake.called("GetUnstructuredEvents", 1).await;
    assert_eq!(running.metrics.progress().chunks_open, 0);
    // Neither is an event dropped that one of them wanted to send: it would hold a place in the room.
    assert!(running.shows("tenon_teleport_dropped_total 0\n"));
    while taken.uids.len() < 400 {
        taken.take(running.next().await.unwrap());
    }
    running.stop().await;
    assert_eq!(taken.lost(400), Vec::<u64>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_events_are_out_an_end_waits_for_them() {
    let scene = Scene::new(World::new(1, 1, 100));
    let mut running = Running::start(scene.config()).await;
    let out = running.next().await.unwrap();
    let taken = running.take(99).await;
    let done = tokio::spawn(async move {
        tokio::time::sleep(milliseconds(100)).await;
        out.done.done();
    });
    assert!(running.next().await.is_none());
    running.ended().await.unwrap();
    done.await.unwrap();
    assert_eq!((taken.events.len(), scene.all(scene.config()).await.events.len()), (99, 0));
}
