//! Events of a cluster, over mTLS, to a local sink.

use crate::kit::{Scene, uid};
use fake_teleport::{Recording, World};
use fixtures::get;
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

fn complete(scene: &Scene, count: u64) {
    let came = scene.sink.came("/events");
    for number in 0..count {
        assert_eq!(came.get(&uid(number)), Some(&1), "the event {number}");
    }
    assert_eq!(came.len() as u64, count);
}

#[test]
fn all_events_arrive_in_bulk_and_in_windows() {
    for windowed in [false, true] {
        let scene = Scene::new(World::new(3, 4, 3000), "");
        scene.fake.faults(|faults| faults.unimplemented = windowed);
        let host = scene.all(&[]);
        complete(&scene, 3000);
        assert_eq!(scene.sink.requests(), 3000, "one POST an event");
        let way = if windowed { "read in windows" } else { "read in bulk" };
        assert!(host.log().contains(way), "{}", host.log());
        // Nothing of it comes again, and what is new does.
        scene.fake.world().add(5);
        scene.all(&[]);
        complete(&scene, 3005);
    }
}

#[test]
fn types_are_chosen_however_they_are_read() {
    for windowed in [false, true] {
        let scene = Scene::new(World::new(1, 2, 500), "batch = 50\n");
        scene.fake.faults(|faults| (faults.unimplemented, faults.types_ignored) = (windowed, true));
        scene.all(&["--types=user.login,cert.create", "--skip-event-types=cert.create"]);
        let came = scene.sink.came("/events");
        assert_eq!(came.len(), 100);
        assert!(came.keys().all(|uid| uid.parse::<u64>().unwrap() % 5 == 0));
    }
}

#[test]
fn a_recording_goes_to_a_url_of_its_own_and_two_sinks_get_everything() {
    let mut world = World::new(1, 2, 100);
    world.uploads.insert(50, "sid-1".to_owned());
    world.recordings.insert("sid-1".to_owned(), Recording { events: 30, ..Recording::default() });
    let scene = Scene::new(world, "");
    let file = scene.path("events.ndjson");
    scene.all(&["--sink", &format!("file:{}", file.display())]);
    assert_eq!(scene.sink.came("/events").len(), 100);
    assert_eq!(scene.sink.paths(), ["/events", "/session.sid-1.log"]);
    // Every fifth of a recording is one of print, which is skipped unless asked for.
    assert_eq!(scene.sink.count(), 124);
    let written = fs::read_to_string(file).unwrap();
    assert_eq!(written.lines().count(), 124);
    assert!(written.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[test]
fn the_state_of_the_original_goes_on() {
    let world = World::new(2, 2, 400);
    let date = |segment: usize| {
        let day = u64::try_from(world.segments[segment].day).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(day * 86_400);
        humantime::format_rfc3339_seconds(time).to_string()[..10].to_owned()
    };
    let (first, chunk) = (date(0), world.segments[0].chunk.clone());
    let scene = Scene::new(world, "");
    let folder = scene.state().join("cursor_v2").join(&first);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("completed-chunks"), format!("{chunk}\n")).unwrap();
    let start = humantime::format_rfc3339_seconds(fake_teleport::midnight(30)).to_string();
    fs::write(scene.state().join("start_time"), &start).unwrap();
    scene.all(&[]);
    let came = scene.sink.came("/events");
    assert_eq!(came.len(), 300, "the chunk that was done does not come again");
    assert!(!came.contains_key(&uid(0)) && came.contains_key(&uid(100)));
    // And the original would go on with what is there now.
    let done = fs::read_to_string(folder.join("completed-chunks")).unwrap();
    assert_eq!(done.lines().count(), 2, "{done}");
    assert_eq!(fs::read_to_string(scene.state().join("start_time")).unwrap(), start);
    let names = fs::read_dir(scene.state()).unwrap().map(|entry| entry.unwrap().file_name());
    for name in names.map(|name| name.into_string().unwrap()) {
        assert!(["start_time", "cursor_v2", ".tenon"].contains(&&*name), "{name}");
    }
}

#[test]
fn a_start_time_that_changes_and_a_server_that_does_not_let_us_in_are_told_of() {
    let scene = Scene::new(World::new(1, 1, 10), "");
    scene.all(&[]);
    let host = scene.start(&["--start-time=2020-01-01T00:00:00Z"]);
    assert_eq!(host.wait().code(), Some(1));
    assert!(host.log().contains("cannot be changed later"), "{}", host.log());
    scene.fake.faults(|faults| faults.denied = true);
    let host = scene.start(&[]);
    assert_eq!(host.wait().code(), Some(1));
    assert!(host.log().contains("permission denied"), "{}", host.log());
}

#[test]
fn probes_and_metrics_say_how_it_is() {
    let scene = Scene::new(World::new(1, 1, 100), "");
    let host = scene.start(&["--admin", "127.0.0.1:0", "--wasm-plugin", &echo()]);
    let line = host.wait_for_log("metrics and probes are at http://");
    let address = line.rsplit_once("http://").unwrap().1.trim().parse().unwrap();
    scene.sink.wait_for(100);
    assert_eq!(get(address, "/healthz", &[]).status, 200);
    let ready = get(address, "/readyz", &[]);
    assert_eq!((ready.status, ready.text()), (200, "ready\n"));
    let metrics = get(address, "/metrics", &[]);
    for line in [
        "tenon_teleport_events_total{type=\"user.login\"} 20",
        "tenon_teleport_lag_seconds ",
        "tenon_teleport_session_backlog 0",
        "tenon_event_plugin_events_total{plugin=\"echo\",became=\"kept\"}",
        "tenon_sink_delivered_total{sink=\"fluentd\"}",
        "tenon_sink_waiting{sink=\"fluentd\"}",
        "tenon_cluster_locks_waiting 0",
    ] {
        assert!(metrics.text().contains(line), "{line}: {}", metrics.text());
    }
    assert_eq!(get(address, "/", &[]).status, 404);
    scene.sink.away(true);
    scene.fake.world().add(1);
    scene.sink.wait_for_refused(1);
    // It looks twice a second.
    let begin = Instant::now();
    while !get(address, "/readyz", &[]).text().contains("the sink fluentd has failed") {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", host.log());
    }
    assert_eq!(get(address, "/healthz", &[]).status, 200);
    scene.sink.away(false);
    scene.sink.wait_for(101);
    assert_eq!(host.stop().code(), Some(0), "{}", host.log());
}

fn echo() -> String {
    fixtures::wat("echo").display().to_string()
}

#[test]
fn a_dry_run_touches_nothing() {
    let scene = Scene::new(World::new(1, 2, 200), "[lock]\nenabled = true\nperiod = '24h'\n");
    let host = scene.all(&["--dry-run", "--sink", "stdout"]);
    assert_eq!(host.stdout().lines().count(), 200);
    assert_eq!((scene.sink.count(), scene.fake.locks().len()), (0, 0));
    assert!(!scene.path("state").exists(), "it keeps no state");
    let log = host.log();
    for text in ["too many failed logins", "dry run: the lock \"event-handler-auto-lock-"] {
        assert!(log.contains(text), "{text}: {log}");
    }
    assert!(!log.contains("the cluster has the lock"), "{log}");
    scene.all(&["--dry-run"]);
    assert_eq!(scene.sink.count(), 0);
}
