//! `host locks`: with the file that a host left, and with one that runs.

use crate::{assert_ends, basic};
use fixtures::{Host, Output, Upstream, get};
use host_events::locks::Locks;
use host_events::store::{DEFAULT_LIMIT, DiskStore};
use proto::types::{LockSpecV2, LockTarget, LockV2};
use serde_json::{Value, json};
use tempfile::TempDir;

fn lock(user: &str) -> LockV2 {
    let target = LockTarget { user: user.to_owned(), ..LockTarget::default() };
    let (message, created_by) = ("too many failures".to_owned(), "lockout".to_owned());
    let spec = LockSpecV2 { target: Some(target), message, created_by, ..LockSpecV2::default() };
    LockV2 { spec: Some(spec), ..LockV2::default() }
}

/// The state folder of a host that has locked these.
fn state(users: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DEFAULT_LIMIT).unwrap();
    for user in users {
        store.upsert(lock(user)).unwrap();
    }
    folder
}

fn locks(state: &TempDir, args: &[&str]) -> Output {
    Host::run(&[&["locks", "--state", state.path().to_str().unwrap()], args].concat())
}

fn json_list(state: &TempDir) -> Value {
    let output = locks(state, &["list", "--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn locks_are_listed_for_people_and_for_programs() {
    let state = state(&["bob"]);
    let output = locks(&state, &["list"]);
    let expected = "\
        NAME            TARGET    MESSAGE            EXPIRES IN  CREATED BY\n\
        tenon-lock-bob  user=bob  too many failures  never       lockout\n";
    assert_eq!((output.code, &*output.stdout, &*output.stderr), (Some(0), expected, ""));
    let expected = json!([{
        "name": "tenon-lock-bob",
        "target": {"user": "bob"},
        "message": "too many failures",
        "expires": null,
        "created_by": "lockout"
    }]);
    assert_eq!(json_list(&state), expected);
}

#[test]
fn a_lock_that_is_removed_is_gone_and_the_others_stay() {
    let state = state(&["bob", "eve"]);
    let output = locks(&state, &["remove", "tenon-lock-bob"]);
    assert_eq!((output.code, &*output.stdout), (Some(0), "removed tenon-lock-bob\n"));
    assert_eq!(json_list(&state)[0]["name"], "tenon-lock-eve");
    assert_eq!(json_list(&state)[1], Value::Null);
    let again = locks(&state, &["remove", "tenon-lock-bob"]);
    assert_eq!(again.stderr.lines().count(), 1, "{again:?}");
    assert_ends(
        &again,
        1,
        &["there is no lock \"tenon-lock-bob\"; did you mean \"tenon-lock-eve\"?"],
    );
    assert_eq!(locks(&state, &["remove", "tenon-lock-eve"]).code, Some(0));
    assert_eq!(locks(&state, &["list"]).stdout, "nobody is locked\n");
}

#[test]
fn a_folder_without_a_store_is_an_error_and_stays_without() {
    let folder = tempfile::tempdir().unwrap();
    assert_ends(&locks(&folder, &["list"]), 1, &["there is no store in", "give the --state"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_store_that_a_host_has_without_answering_is_left_alone() {
    let state = state(&["bob"]);
    let _store = DiskStore::open(state.path(), DEFAULT_LIMIT).unwrap();
    assert_ends(&locks(&state, &["list"]), 1, &["a host has the store in", "try again"]);
}

#[test]
fn a_running_host_lets_a_user_in_again_when_the_lock_is_removed() {
    let state = state(&["bob", "eve"]);
    let upstream = Upstream::echo();
    let host = Host::start(&[
        &format!("--target={}", upstream.url()),
        &format!("--state={}", state.path().display()),
        "--basic-user=bob",
        "--basic-password=secret",
    ]);
    let credentials = basic("bob:secret");
    let enter = || get(host.address(), "/", &[("Authorization", &credentials)]).status;
    assert_eq!(enter(), 403);
    assert_eq!(json_list(&state).as_array().unwrap().len(), 2);
    let removed = locks(&state, &["remove", "tenon-lock-bob"]);
    assert_eq!((removed.code, &*removed.stdout), (Some(0), "removed tenon-lock-bob\n"));
    assert_eq!(enter(), 200);
    assert_eq!(json_list(&state)[0]["name"], "tenon-lock-eve");
    assert_ends(&locks(&state, &["remove", "bob"]), 1, &["there is no lock \"bob\""]);

    assert!(host.stop().success());
    assert_eq!(json_list(&state)[0]["name"], "tenon-lock-eve");
    assert_eq!(json_list(&state)[1], Value::Null);
}

#[test]
fn a_host_that_was_killed_leaves_its_locks_to_the_command() {
    let state = state(&["bob"]);
    let upstream = Upstream::echo();
    let host = Host::start(&[
        &format!("--target={}", upstream.url()),
        &format!("--state={}", state.path().display()),
    ]);
    host.signal(libc::SIGKILL);
    host.wait();
    assert_eq!(json_list(&state)[0]["name"], "tenon-lock-bob");
}
