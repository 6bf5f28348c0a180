//! What is away comes back, and what is told to end does so in order.

use crate::kit::{Scene, uid};
use fake_teleport::World;

const BATCHES: &str = "batch = 20\n";

#[test]
fn a_sink_that_is_down_gets_everything_when_it_is_back() {
    let scene = Scene::new(World::new(1, 2, 30_000), BATCHES);
    let host = scene.start(&["--exit-on-last-event"]);
    scene.sink.wait_for(2000);
    scene.sink.away(true);
    scene.sink.wait_for_refused(3);
    assert!(host.is_running(), "{}", host.log());
    scene.sink.away(false);
    scene.sink.wait_for_all("/events", 30_000);
    assert_eq!(host.wait().code(), Some(0), "{}", host.log());
    let came = scene.sink.came("/events");
    assert!((0..30_000).all(|number| came.contains_key(&uid(number))));
}

#[test]
fn a_stream_that_breaks_again_and_again_is_read_on() {
    let scene = Scene::new(World::new(1, 2, 3000), BATCHES);
    scene.fake.faults(|faults| (faults.reset_after, faults.resets) = (Some(700), 3));
    scene.all(&[]);
    assert_eq!(scene.sink.came("/events").len(), 3000);
}

#[test]
fn told_to_end_it_saves_what_is_done_and_goes_on_there() {
    let scene = Scene::new(World::new(1, 4, 20_000), BATCHES);
    scene.fake.faults(|faults| faults.delay = 1);
    let host = scene.start(&[]);
    scene.sink.wait_for(1000);
    assert_eq!(host.stop().code(), Some(0), "{}", host.log());
    assert!(host.log().contains("draining"), "{}", host.log());
    scene.fake.faults(|faults| faults.delay = 0);
    scene.all(&[]);
    let came = scene.sink.came("/events");
    assert!((0..20_000).all(|number| came.get(&uid(number)) == Some(&1)), "each came once");
}

#[test]
fn told_twice_it_ends_at_once_though_a_sink_is_away() {
    let scene = Scene::new(World::new(1, 1, 100), "");
    scene.sink.away(true);
    let host = scene.start(&[]);
    scene.sink.wait_for_refused(1);
    host.signal(libc::SIGTERM);
    host.wait_for_log("draining");
    host.signal(libc::SIGTERM);
    assert_eq!(host.wait().code(), Some(1));
    // And told once it does not wait for ever.
    let before = scene.sink.refused();
    let host = scene.start(&[]);
    scene.sink.wait_for_refused(before + 1);
    assert_eq!(host.stop().code(), Some(0), "{}", host.log());
    assert!(host.log().contains(" events have not arrived at fluentd"), "{}", host.log());
    scene.sink.away(false);
    scene.all(&[]);
    assert_eq!(scene.sink.came("/events").len(), 100);
}
