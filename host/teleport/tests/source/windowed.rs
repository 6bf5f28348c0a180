//! Reading in windows.

use crate::kit::{Running, Scene, milliseconds};
use fake_teleport::{Damage, World, midnight};
use std::time::Duration;

fn scene(world: World) -> Scene {
    let scene = Scene::new(world);
    scene.fake.faults(|it| it.unimplemented = true);
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_comes_once_and_in_order() {
    let scene = scene(World::new(3, 2, 2000));
    let mut config = scene.config();
    config.window = Duration::from_secs(3 * 3600);
    let taken = scene.all(config).await;
    taken.are_exactly(2000);
    assert!(taken.events.is_sorted_by_key(|(_, uid, ..)| uid.clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_repeat_or_are_in_disorder_lose_and_repeat_nothing() {
    for (overlap, shuffled) in [(30, false), (0, true), (30, true)] {
        let scene = scene(World::new(2, 2, 2000));
        scene.fake.faults(|it| (it.overlap, it.shuffled) = (overlap, shuffled));
        let taken = scene.all(scene.config()).await;
        taken.are_exactly(2000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_events_come_as_they_happen() {
    let scene = scene(World::new(1, 1, 150));
    scene.fake.faults(|it| it.shuffled = true);
    let mut running = Running::start(scene.endless()).await;
    let mut taken = running.take(150).await;
    for _ in 0..5 {
        scene.fake.world().add(7);
        taken.add(running.take(7).await);
    }
    taken.add(running.stop().await);
    taken.are_exactly(185);
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_asked_for_and_chosen_from_what_comes() {
    for ignored in [false, true] {
        let scene = scene(World::new(1, 2, 500));
        scene.fake.faults(|it| it.types_ignored = ignored);
        let mut config = scene.config();
        config.types = ["user.login", "cert.create"].map(str::to_owned).into();
        config.skip_event_types = ["cert.create".to_owned()].into();
        let taken = scene.all(config).await;
        assert_eq!((taken.kinds(), taken.events.len()), (vec!["user.login"], 100));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_pages_never_end_is_not_flooded() {
    let scene = scene(World::new(1, 1, 250));
    scene.fake.faults(|it| it.endless = true);
    let mut config = scene.endless();
    config.start_time = Some(midnight(0));
    config.timeout = milliseconds(100);
    let mut running = Running::start(config).await;
    let mut taken = running.take(250).await;
    let before = scene.fake.calls("GetUnstructuredEvents");
    tokio::time::sleep(milliseconds(1000)).await;
    let calls = scene.fake.calls("GetUnstructuredEvents") - before;
    assert!(calls <= 70, "{calls} calls in a second");
    taken.add(running.stop().await);
    taken.are_exactly(250);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_never_changes_does_not_hang_us() {
    let scene = scene(World::new(1, 1, 80));
    scene.fake.faults(|it| it.sticky_key = true);
    scene.all(scene.config()).await.are_exactly(80);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_errs_is_asked_again() {
    let scene = scene(World::new(1, 1, 500));
    let mut running = Running::start(scene.config()).await;
    let mut taken = running.take(50).await;
    scene.fake.faults(|it| it.unavailable = 5);
    taken.add(running.take(450).await);
    assert!(running.next().await.is_none());
    running.ended().await.unwrap();
    taken.are_exactly(500);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_cannot_be_read_stop_nothing() {
    let mut world = World::new(1, 1, 100);
    world.damaged.insert(3, Damage::Struct);
    world.damaged.insert(50, Damage::Empty);
    let scene = scene(world);
    scene.all(scene.config()).await.are_exactly(100);
}
