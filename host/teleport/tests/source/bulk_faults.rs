//! The bulk export when something is wrong.

use crate::kit::{Running, Scene, milliseconds, uid};
use fake_teleport::{Damage, World};
use host_teleport::{Error, Source};
use std::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_break_off_go_on_where_they_were() {
    let scene = Scene::new(World::new(2, 3, 3000));
    scene.fake.faults(|it| (it.reset_after, it.resets) = (Some(37), 60));
    let taken = scene.all(scene.config()).await;
    taken.are_exactly(3000);
    assert!(scene.fake.calls("ExportUnstructuredEvents") > 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_are_made_again() {
    let scene = Scene::new(World::new(2, 3, 3000));
    scene.fake.faults(|it| (it.reset_after, it.resets, it.disconnects) = (Some(101), 8, true));
    scene.all(scene.config()).await.are_exactly(3000);
    assert!(scene.fake.accepted().len() > 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_errs_is_asked_again_with_growing_waits() {
    let scene = Scene::new(World::new(1, 2, 200));
    let mut config = scene.endless();
    config.timing.retry = (milliseconds(20), milliseconds(10_000));
    let mut running = Running::start(config).await;
    let mut taken = running.take(200).await;
    let before = scene.fake.calls("GetEventExportChunks");
    scene.fake.faults(|it| it.unavailable = 6);
    scene.fake.world().add(20);
    let began = Instant::now();
    taken.add(running.take(20).await);
    let after = scene.fake.calls("GetEventExportChunks");
    assert!(after - before >= 7, "{} calls", after - before);
    // Each wait is at least a half of 20, 40, …, 640: that is 630. Six that do not grow are at most 120.
    assert!(began.elapsed() > milliseconds(600), "{:?}", began.elapsed());
    taken.add(running.stop().await);
    taken.are_exactly(220);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_always_errs_is_not_flooded() {
    // More than the server sends ahead: all four are being read when it begins to err.
    let scene = Scene::new(World::new(1, 4, 40_000));
    let mut config = scene.endless();
    config.timing.retry = (milliseconds(20), milliseconds(200));
    let mut running = Running::start(config).await;
    scene.fake.called("ExportUnstructuredEvents", 4).await;
    running.take(100).await;
    scene.fake.faults(|it| it.unavailable = u64::MAX);
    scene.fake.disconnect();
    let calls = || -> u64 {
        let calls = ["ExportUnstructuredEvents", "GetEventExportChunks"];
        calls.iter().map(|call| scene.fake.calls(call)).sum()
    };
    // What had come is taken, else nobody sees that no more comes.
    let counting = async {
        scene.fake.called("ExportUnstructuredEvents", 4 + 8).await;
        let before = calls();
        tokio::time::sleep(milliseconds(1000)).await;
        calls() - before
    };
    let taking = async {
        while let Some(read) = running.next().await {
            read.done.done();
        }
    };
    let count = tokio::select! {
        count = counting => count,
        () = taking => panic!("it has ended"),
    };
    assert!(count > 0, "nobody asks again");
    // Five callers at the very most, each five times while the waits grow, and then five to ten a second.
    assert!(count <= 80, "{count} calls in a second");
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_does_not_hang_us() {
    let scene = Scene::new(World::new(1, 2, 500));
    scene.fake.faults(|it| it.silent = 2);
    let mut config = scene.config();
    config.timing.answer = milliseconds(300);
    scene.all(config).await.are_exactly(500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_is_waited_for() {
    let scene = Scene::new(World::new(1, 2, 2000));
    scene.fake.faults(|it| it.delay = 20);
    scene.all(scene.config()).await.are_exactly(2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_cannot_be_read_go_on_as_they_came_and_stop_nothing() {
    // An unknown type once stopped the whole stream.
    let mut world = World::new(1, 1, 100);
    for (number, damage) in [
        (10, Damage::Struct),
        (20, Damage::Empty),
        (30, Damage::UnknownType),
        (40, Damage::Envelope),
    ] {
        world.damaged.insert(number, damage);
    }
    let scene = Scene::new(world);
    let taken = scene.all(scene.config()).await;
    assert_eq!((taken.events.len(), taken.lost(100)), (100, vec![40]));
    let json = |of: &str| {
        let (_, _, _, json) = taken.events.iter().find(|(_, uid, ..)| uid == of).unwrap();
        json.clone()
    };
    let unknown = r#"{"brand":{"new":[1,null]},"event":"brand.new","uid":"000000000030"}"#;
    assert_eq!(json(&uid(30)), unknown);
    assert!(json(&uid(10)).contains(r#""malformed":{"hex":"0a7f00","reason":"a message ends"#));
    assert!(json(&uid(20)).contains("it has nothing but its envelope"));
    assert!(json("").contains(r#""hex":"0affff","reason":"its envelope cannot be read""#));
    assert!(taken.kinds().contains(&"brand.new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_cannot_be_read_holds_up_no_other() {
    let scene = Scene::new(World::new(3, 2, 600));
    scene.fake.faults(|it| it.broken_chunk = Some("chunk-0".to_owned()));
    let mut config = scene.config();
    config.concurrency = 1;
    let mut running = Running::start(config).await;
    let taken = running.take(300).await;
    assert_eq!(taken.repeated(), 0);
    assert!(running.next().await.is_none());
    let error = running.ended().await.unwrap_err();
    let Error::Unfinished { chunks: 3, last } = &error else { panic!("{error}") };
    assert!(last.to_string().contains("the object cannot be read"), "{error}");
    // The next start finds them.
    scene.fake.faults(|it| it.broken_chunk = None);
    let rest = scene.all(scene.config()).await;
    assert_eq!((rest.events.len(), rest.repeated()), (300, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_bulk_export_events_are_read_in_windows() {
    let scene = Scene::new(World::new(3, 2, 1000));
    scene.fake.faults(|it| it.unimplemented = true);
    scene.all(scene.config()).await.are_exactly(1000);
    let scene = Scene::new(World::new(3, 2, 1000));
    scene.fake.faults(|it| it.wrapped_unimplemented = true);
    scene.all(scene.config()).await.are_exactly(1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_events_but_no_chunks_is_read_in_windows() {
    // The event handler stays at "0 events".
    let scene = Scene::new(World::new(3, 2, 1000));
    scene.fake.faults(|it| it.no_chunks = true);
    scene.all(scene.config()).await.are_exactly(1000);
    let scene = Scene::new(World::new(3, 2, 1000));
    scene.fake.faults(|it| it.no_export = true);
    scene.all(scene.config()).await.are_exactly(1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_at_the_start_it_says_which_rule_is_missing() {
    let scene = Scene::new(World::new(1, 1, 10));
    scene.fake.faults(|it| it.denied = true);
    let error = Source::open(scene.config()).await.unwrap_err().to_string();
    let expected = "GetEventExportChunks: permission denied (access denied); a role of this identity \
                    needs the rule `resources: [event], verbs: [list, read]`";
    assert_eq!(error, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_while_it_runs_it_waits_for_the_role() {
    let scene = Scene::new(World::new(1, 1, 100));
    let mut running = Running::start(scene.endless()).await;
    let mut taken = running.take(100).await;
    scene.fake.faults(|it| it.denied = true);
    let calls = scene.fake.calls("GetEventExportChunks");
    scene.fake.called("GetEventExportChunks", calls + 5).await;
    scene.fake.world().add(20);
    scene.fake.faults(|it| it.denied = false);
    taken.add(running.take(20).await);
    taken.add(running.stop().await);
    taken.are_exactly(120);
}
