//! Recordings of sessions.

use crate::kit::{Running, Scene, Taken, until};
use fake_teleport::{Recording, World, session_expected};
use std::fs;
use std::time::Duration;

/// A hundred events, of which the fiftieth announces a recording.
fn with(recording: Option<Recording>) -> Scene {
    let mut world = World::new(1, 1, 100);
    world.uploads.insert(50, "s1".to_owned());
    world.recordings.extend(recording.map(|it| ("s1".to_owned(), it)));
    Scene::new(world)
}

fn of_session(taken: &Taken) -> Vec<&str> {
    let events = taken.events.iter().filter(|(session, ..)| session.as_deref() == Some("s1"));
    events.map(|(_, _, _, json)| json.as_str()).collect()
}

/// What is expected of indices, without those that are skipped by default.
fn expected(indices: std::ops::Range<u64>) -> Vec<String> {
    let indices = indices.filter(|index| index % 5 != 0);
    indices.map(|index| session_expected("s1", index)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_read_when_it_is_announced() {
    let scene = with(Some(Recording { events: 1000, ..Recording::default() }));
    let taken = scene.all(scene.config()).await;
    assert_eq!(of_session(&taken), expected(0..1000));
    assert_eq!(taken.events.len(), 100 + 800);
    assert!(!scene.state("sessions1").exists());
    // Announced in windows as well.
    let scene = with(Some(Recording { events: 10, ..Recording::default() }));
    scene.fake.faults(|it| it.unimplemented = true);
    assert_eq!(of_session(&scene.all(scene.config()).await), expected(0..10));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_wanted_announces_nothing() {
    let scene = with(Some(Recording { events: 10, ..Recording::default() }));
    let mut config = scene.config();
    config.skip_event_types = ["session.upload".to_owned()].into();
    assert_eq!(scene.all(config).await.events.len(), 99);
    let mut config = scene.config();
    config.storage = scene.path("another");
    config.skip_session_types.insert("session.upload".to_owned());
    assert_eq!(scene.all(config).await.events.len(), 100);
    assert_eq!(scene.fake.calls("StreamUnstructuredSessionEvents"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_goes_on_where_it_was() {
    let scene = with(Some(Recording { events: 50, cut_at: Some(23), ..Recording::default() }));
    let taken = scene.all(scene.config()).await;
    assert_eq!(
        (of_session(&taken), taken.repeated()),
        (expected(0..50).iter().map(String::as_str).collect(), 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_is_missing_is_asked_for_again() {
    let scene = with(Some(Recording { events: 10, missing: 2, ..Recording::default() }));
    let mut running = Running::start(scene.endless()).await;
    let mut taken = running.take(100).await;
    let file = scene.state("missing_recordings1");
    until("it is noted", || file.exists()).await;
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with(r#"{"Index":0,"Attempt":"#) && text.contains(r#","Timestamp":"20"#),
        "{text}"
    );
    taken.add(running.take(8).await);
    assert_eq!(of_session(&taken), expected(0..10));
    until("it is forgotten", || !file.exists()).await;
    running.stop().await;
    assert!(!scene.state("sessions1").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_stays_missing_is_given_up() {
    let scene = with(None);
    let mut running = Running::start(scene.endless()).await;
    running.take(100).await;
    until("it is given up", || scene.fake.calls("StreamUnstructuredSessionEvents") == 4).await;
    until("it is forgotten", || !scene.state("missing_recordings1").exists()).await;
    assert_eq!(running.metrics.progress().missing, 0);
    running.stop().await;
    assert_eq!(scene.fake.calls("StreamUnstructuredSessionEvents"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_recording_that_is_missing_is_given_up_at_once() {
    let scene = with(None);
    let mut config = scene.endless();
    config.timing.recording_lost = Duration::ZERO;
    let mut running = Running::start(config).await;
    running.take(100).await;
    until("it is given up", || {
        !scene.state("sessions1").exists() && running.metrics.progress().recordings == 0
    })
    .await;
    running.stop().await;
    assert_eq!(scene.fake.calls("StreamUnstructuredSessionEvents"), 1);
    assert!(!scene.state("missing_recordings1").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_is_broken_stops_nothing_else() {
    // The event handler dies of one.
    let scene = with(Some(Recording { events: 50, broken_at: Some(20), ..Recording::default() }));
    let mut running = Running::start(scene.endless()).await;
    let mut taken = running.take(100 + 16).await;
    until("it is given up", || {
        !scene.state("missing_recordings1").exists() && running.metrics.progress().missing == 0
    })
    .await;
    scene.fake.world().add(10);
    taken.add(running.take(10).await);
    assert_eq!(
        (of_session(&taken), taken.repeated()),
        (expected(0..20).iter().map(String::as_str).collect(), 0)
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_role_denies_recordings_the_log_goes_on_and_none_is_given_up() {
    let scene = with(Some(Recording { events: 10, ..Recording::default() }));
    scene.fake.faults(|it| it.sessions_denied = true);
    let mut running = Running::start(scene.endless()).await;
    let mut taken = running.take(100).await;
    scene.fake.called("StreamUnstructuredSessionEvents", 8).await;
    scene.fake.faults(|it| it.sessions_denied = false);
    taken.add(running.take(8).await);
    assert_eq!(of_session(&taken), expected(0..10));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_not_given_up_because_the_server_is_away_at_the_end() {
    let scene = with(Some(Recording { events: 10, ..Recording::default() }));
    scene.fake.faults(|it| it.sessions_unavailable = true);
    let mut config = scene.config();
    config.timing.recording_lost = Duration::ZERO; // too old, if it were missing
    assert_eq!(scene.all(config.clone()).await.events.len(), 100);
    assert!(scene.state("missing_recordings1").exists());
    // The next start has it, however soon that one ends.
    scene.fake.faults(|it| it.sessions_unavailable = false);
    config.timing.missing.0 = Duration::from_secs(3600);
    assert_eq!(of_session(&scene.all(config).await), expected(0..10));
    assert!(!scene.state("missing_recordings1").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_does_not_wait_for_recordings_that_cannot_be_read() {
    let mut world = World::new(1, 1, 100);
    for number in 0..50 {
        let id = format!("s{number}");
        world.uploads.insert(number, id.clone());
        world.recordings.insert(id, Recording { events: 5, ..Recording::default() });
    }
    let scene = Scene::new(world);
    scene.fake.faults(|it| it.sessions_unavailable = true);
    let mut config = scene.endless();
    config.concurrency = 1; // sixteen may wait
    let mut running = Running::start(config).await;
    running.take(100).await;
    scene.fake.faults(|it| it.sessions_unavailable = false);
    let taken = running.take(50 * 4).await;
    assert_eq!((taken.events.len(), taken.repeated()), (200, 0));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_that_the_event_handler_has_begun_are_read_on() {
    let scene = with(Some(Recording { events: 20, ..Recording::default() }));
    scene.fake.world().uploads.clear();
    scene
        .fake
        .world()
        .recordings
        .insert("s2".to_owned(), Recording { events: 5, ..Recording::default() });
    fs::create_dir_all(scene.state("")).unwrap();
    fs::write(scene.state("sessions1"), 12_u64.to_be_bytes()).unwrap();
    let missing = r#"{"id":"","Index":2,"Attempt":1,"Timestamp":"0001-01-01T00:00:00Z"}"#;
    fs::write(scene.state("missing_recordings2"), missing).unwrap();
    fs::write(scene.state("session"), 0_u64.to_be_bytes()).unwrap();
    let mut running = Running::start(scene.endless()).await;
    let taken = running.take(100 + 7 + 3).await;
    assert_eq!(of_session(&taken), expected(12..20));
    assert!(["s2-2", "s2-3", "s2-4"].iter().all(|uid| taken.uids.contains_key(*uid)));
    until("both are over", || {
        !scene.state("sessions1").exists() && !scene.state("missing_recordings2").exists()
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_id_is_a_path_writes_nowhere() {
    let mut world = World::new(1, 1, 10);
    world.uploads.insert(5, "/../../evil".to_owned());
    world.uploads.insert(6, String::new());
    let scene = Scene::new(world);
    assert_eq!(scene.all(scene.config()).await.events.len(), 10);
    assert!(!scene.path("evil").exists() && !scene.path("state").join("evil").exists());
    assert_eq!(scene.fake.calls("StreamUnstructuredSessionEvents"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_recordings_are_read_with_a_bounded_backlog() {
    let mut world = World::new(1, 2, 1000);
    for number in 0..200_u64 {
        let id = format!("many-{number}");
        world.uploads.insert(number * 5, id.clone());
        world.recordings.insert(id, Recording { events: 3, ..Recording::default() });
    }
    let scene = Scene::new(world);
    let mut config = scene.config();
    (config.concurrency, config.in_flight) = (1, 8);
    let mut running = Running::start(config).await;
    let (mut most, mut taken) = (0, Taken::default());
    while let Some(read) = running.next().await {
        most = most.max(running.metrics.progress().recordings);
        taken.take(read);
    }
    running.ended().await.unwrap();
    assert_eq!((taken.events.len(), taken.repeated()), (1000 + 400, 0));
    assert!(most <= 18, "{most} at a time");
}

/// Chunks that wait for recordings hold what the server has sent ahead. They must not hold all that it
/// may send: then no recording comes, and each waits for the other.
#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_wait_leave_the_connection_to_recordings() {
    const CHUNKS: u64 = 8;
    const OF_CHUNK: u64 = 4000; // more than a stream's window takes
    let mut world = World::new(1, 8, CHUNKS * OF_CHUNK);
    for number in (0..CHUNKS).flat_map(|chunk| (0..40).map(move |of| chunk * OF_CHUNK + of)) {
        let id = format!("s{number}");
        world.uploads.insert(number, id.clone());
        world.recordings.insert(id, Recording { events: 3, ..Recording::default() });
    }
    let scene = Scene::new(world);
    let mut config = scene.config();
    config.concurrency = 8;
    config.timing.answer = Duration::from_secs(600);
    let mut running = Running::start(config).await;
    // Nobody takes anything until the server has sent what it may.
    scene.fake.called("ExportUnstructuredEvents", CHUNKS).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut taken = Taken::default();
    while let Some(read) = running.next().await {
        taken.take(read);
    }
    running.ended().await.unwrap();
    assert_eq!(taken.events.len() as u64, CHUNKS * (OF_CHUNK + 40 * 2));
}
