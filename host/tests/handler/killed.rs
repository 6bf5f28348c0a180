//! Killed at any moment, nothing is lost.

use crate::kit::{Scene, uid};
use fake_teleport::World;

/// A batch and the connections, as configured below: what the sink may have had without our hearing.
const ON_THE_WAY: u64 = 50 * 4;
const CONFIG: &str = "batch = 50\nmax-connections = 4\n";

/// Kills the handler so often, each time when so many more events have come, about.
fn killed(scene: &Scene, events: u64, kills: u64) {
    let mut random = u64::from(std::process::id()) | 1;
    let share = events / (kills + 1);
    let mut killed = 0;
    for kill in 0..kills {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = share * kill + (random >> 33) % share;
        let host = scene.start(&["--exit-on-last-event"]);
        scene.sink.wait_for(usize::try_from(at).unwrap());
        killed += u64::from(host.is_running());
        host.signal(libc::SIGKILL);
        host.wait();
    }
    let host = scene.start(&["--exit-on-last-event"]);
    scene.sink.wait_for_all("/events", events);
    assert_eq!(host.wait().code(), Some(0), "{}", host.log());
    let came = scene.sink.came("/events");
    let lost = (0..events).filter(|number| !came.contains_key(&uid(*number))).count();
    let twice = scene.sink.count() as u64 - came.len() as u64;
    eprintln!("{events} events, {killed} of {kills} kills: {lost} lost, {twice} came twice");
    assert_eq!(lost, 0);
    assert_eq!(killed, kills, "it was under way at each of them");
    assert!(twice <= kills * ON_THE_WAY, "{twice} came twice");
}

#[test]
fn at_ten_moments_in_bulk() {
    let scene = Scene::new(World::new(5, 4, 20_000), CONFIG);
    killed(&scene, 20_000, 10);
}

#[test]
fn at_five_moments_in_windows() {
    let scene = Scene::new(World::new(5, 4, 5_000), CONFIG);
    scene.fake.faults(|faults| faults.unimplemented = true);
    killed(&scene, 5_000, 5);
}

#[test]
#[ignore = "minutes in a debug build: cargo test --release --test handler -- --ignored a_million"]
fn a_million_events_at_fifty_moments() {
    let scene = Scene::new(World::new(10, 8, 1_000_000), CONFIG).for_figures();
    killed(&scene, 1_000_000, 50);
}
