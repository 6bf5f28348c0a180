//! Locks: those of failed logins, and those of plugins, in the cluster.

use crate::kit::{Scene, event, handler};
use fake_teleport::World;
use fixtures::{Launch, guest};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Of the cluster's events every fifth is a failed login of one user, far apart.
const EVERY_DAY: &str = "[lock]\nenabled = true\nperiod = '24h'\nfailed-attempts-count = 5\n";

/// What `host locks` says of those that are kept with the state.
fn kept(state: &Path) -> String {
    let folder = state.join(".tenon");
    Launch::new(&["locks", "list", "--state", folder.to_str().unwrap()]).run().stdout
}

#[test]
fn too_many_failed_logins_lock_in_the_cluster() {
    let scene = Scene::new(World::new(1, 1, 200), &format!("{EVERY_DAY}for = '1h'\n"));
    scene.all(&[]);
    let locks = scene.fake.locks();
    let lock = locks.first().expect("a lock");
    assert!(locks.iter().all(|other| other.metadata == lock.metadata), "{locks:?}");
    assert_eq!(lock.metadata.as_ref().unwrap().name, "event-handler-auto-lock-teleport-admin-");
    let spec = lock.spec.as_ref().unwrap();
    assert_eq!(spec.message, "User is locked due to too many failed login attempts");
    let target = spec.target.as_ref().unwrap();
    assert_eq!((&*target.user, &*target.login), ("teleport-admin", ""));
    let left = SystemTime::try_from(spec.expires.unwrap()).unwrap();
    let left = left.duration_since(SystemTime::now()).unwrap().as_secs();
    assert!((3000..=3600).contains(&left), "{left}");
    assert!(kept(&scene.state()).contains("event-handler-auto-lock-teleport-admin-"));
    // What the cluster has is not made again.
    let calls = scene.fake.calls("UpsertLock");
    scene.all(&[]);
    assert_eq!(scene.fake.calls("UpsertLock"), calls);
}

#[test]
fn attempts_that_are_far_apart_do_not_lock_and_nothing_does_unless_asked() {
    // 40 in a day: none within a minute of another.
    let scene = Scene::new(World::new(2, 1, 400), "[lock]\nenabled = true\n");
    scene.fake.world().segments.truncate(1);
    scene.all(&[]);
    assert_eq!(scene.fake.calls("UpsertLock"), 0);
    let scene = Scene::new(World::new(1, 1, 400), "[lock]\nperiod = '24h'\n");
    scene.all(&[]);
    assert_eq!(scene.fake.calls("UpsertLock"), 0);
}

#[test]
fn a_plugin_s_lock_reaches_the_cluster_and_one_that_it_did_not_take_is_made_later() {
    let plugin = guest("rust", "count");
    let scene = Scene::new(World::new(1, 1, 100), "");
    scene.fake.faults(|faults| faults.locks_denied = true);
    let host = scene.all(&["--wasm-plugin", plugin.to_str().unwrap()]);
    assert!(host.log().contains("needs the rule `resources: [lock]"), "{}", host.log());
    assert!(host.log().contains("the cluster lacks locks"), "{}", host.log());
    assert_eq!(scene.fake.locks().len(), 0);
    assert!(kept(&scene.state()).contains("Suspicious login activity"));
    // Without the plugin and without its events.
    scene.fake.faults(|faults| faults.locks_denied = false);
    scene.all(&[]);
    let locks = scene.fake.locks();
    assert_eq!(locks.len(), 1);
    let spec = locks[0].spec.as_ref().unwrap();
    assert_eq!(spec.message, "Suspicious login activity");
    assert_eq!(spec.target.as_ref().unwrap().user, "teleport-admin");
}

#[test]
fn without_a_cluster_a_lock_stays_here() {
    let folder = tempfile::tempdir().unwrap();
    let (source, storage) = (folder.path().join("events.ndjson"), folder.path().join("state"));
    let events: Vec<_> = (0..5).map(|n| event("user.login", &n.to_string(), "bob")).collect();
    fs::write(&source, events.join("\n")).unwrap();
    let (source, state) = (source.to_str().unwrap(), storage.to_str().unwrap());
    let args =
        ["start", "--source", source, "--sink", "stdout", "--storage", state, "--lock-enabled"];
    let output = handler(&args);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("there is no cluster"), "{}", output.stderr);
    let state = fs::read_dir(storage).unwrap().next().unwrap().unwrap().path();
    assert!(kept(&state).contains("event-handler-auto-lock-bob-"), "{}", kept(&state));
}
