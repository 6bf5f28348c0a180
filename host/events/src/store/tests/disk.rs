//! What outlives a run, and what leaves the file.

use super::*;
use crate::locks::Locks;
use crate::locks::testing::{lock, user};
use crate::store::journal::Kind;
use crate::store::{MemoryStore, Store};
use std::os::unix::fs::PermissionsExt;

#[test]
fn counts_values_and_locks_are_there_after_a_restart() {
    let place = Place::new();
    let store = place.open();
    for _ in 0..3 {
        store.take_token("p", b"bob", HOUR).unwrap();
    }
    store.set("p", b"k", b"v", None).unwrap();
    store.set("p", b"k", b"w", Some(HOUR)).unwrap();
    store.upsert(lock(user("bob"), None)).unwrap();
    store.upsert(lock(user("eve"), None)).unwrap();
    store.remove("tenon-lock-eve").unwrap();
    let (used, locks) = (store.stats().used, store.list());
    drop(store);

    let store = place.open();
    assert_eq!(store.stats().used, used);
    assert_eq!(store.list(), locks);
    assert_eq!(store.locked("bob").as_deref(), Some("too many failures"));
    assert_eq!(store.locked("eve"), None);
    assert_eq!(store.get("p", b"k"), Ok(Some(b"w".to_vec())));
    assert_eq!(store.take_token("p", b"bob", HOUR).unwrap().alive, 4);
    assert_eq!(store.release_tokens("p", b"bob"), Ok(4));
}

#[test]
fn a_store_that_was_closed_and_opened_again_has_what_was_changed_meanwhile() {
    let place = Place::new();
    let store = place.open();
    store.take_token("p", b"bob", HOUR).unwrap();
    store.close();
    store.take_token("p", b"bob", HOUR).unwrap();
    assert!(store.flush().is_err(), "it is closed");
    // Somebody else has it for a while, and what he writes is forgotten.
    place.open().take_token("p", b"eve", HOUR).unwrap();
    store.reopen().unwrap();
    store.take_token("p", b"bob", HOUR).unwrap();
    store.flush().unwrap();
    drop(store);

    let store = place.open();
    assert_eq!(store.release_tokens("p", b"bob"), Ok(3));
    assert_eq!(store.release_tokens("p", b"eve"), Ok(0));
}

#[test]
fn tokens_expire_one_by_one_across_a_restart() {
    let place = Place::new();
    let store = place.open();
    for minutes in [1, 2, 3] {
        store.take_token("p", b"a", minutes * MINUTE).unwrap();
    }
    drop(store);
    place.time.pass(60_000);
    let store = place.open();
    assert_eq!(store.take_token("p", b"a", Duration::ZERO).unwrap().alive, 3);
    place.time.pass(60_000);
    assert_eq!(store.take_token("p", b"a", Duration::ZERO).unwrap().alive, 2);
    drop(store);
    place.time.pass(60_000);
    assert_eq!(place.open().release_tokens("p", b"a"), Ok(0));
}

#[test]
fn a_wall_clock_that_went_back_between_runs_keeps_no_token_for_longer() {
    let place = Place::new();
    let store = place.open();
    store.take_token("p", b"a", MINUTE).unwrap();
    drop(store);
    place.time.set_wall(TODAY - 3_600_000);
    let store = place.open();
    place.time.pass(60_000);
    assert_eq!(store.release_tokens("p", b"a"), Ok(0));
}

#[test]
fn a_lock_ends_at_its_date_whoever_ran_meanwhile() {
    let place = Place::new();
    let end = i64::try_from(TODAY / 1000 + 60).unwrap();
    place.open().upsert(lock(user("bob"), Some(end))).unwrap();
    place.time.pass(59_999);
    let store = place.open();
    assert!(store.locked("bob").is_some());
    place.time.pass(1);
    assert_eq!(store.locked("bob"), None);
    assert_eq!(store.list(), []);
}

#[test]
fn what_is_over_leaves_the_file_while_the_store_is_in_use() {
    let place = Place::new();
    let store = place.open();
    for scope in 0..100_u8 {
        store.take_token("p", &[scope], MINUTE).unwrap();
        store.set("p", &[scope], b"v", Some(MINUTE)).unwrap();
    }
    let end = i64::try_from(TODAY / 1000 + 60).unwrap();
    store.upsert(lock(user("bob"), Some(end))).unwrap();
    store.set("p", b"stays", b"v", None).unwrap();
    store.flush().unwrap();
    let commits = store.stats().commits;
    place.time.pass(60_000);
    // Nothing is called: the writer sees by itself.
    store.journal().wait_until(|finished, _| finished > commits);
    store.flush().unwrap();
    assert_eq!(store.stats().used, MemoryStore::new(ROOM).with_one_value("stays"));
    drop(store);
    let rows = saved(&place.path()).rows;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((rows[0].1.kind, rows[0].1.name.key()), (Kind::Value, &b"stays"[..]));
}

impl MemoryStore {
    /// What a store has in use with only this.
    fn with_one_value(self, key: &str) -> usize {
        self.set("p", key.as_bytes(), b"v", None).unwrap();
        self.index().budget().used()
    }
}

#[test]
fn a_value_that_is_set_over_and_over_is_one_row() {
    let place = Place::new();
    let store = place.open();
    for value in 0..100_u8 {
        store.set("p", b"k", &[value], None).unwrap();
        if value % 10 == 0 {
            store.flush().unwrap();
        }
    }
    drop(store);
    let rows = saved(&place.path()).rows;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(*rows[0].1.value, [99]);
}

#[test]
fn ids_are_not_given_twice_after_a_restart() {
    let place = Place::new();
    let first = place.open().take_token("p", b"a", HOUR).unwrap();
    let store = place.open();
    let second = store.take_token("p", b"a", HOUR).unwrap();
    assert_ne!(first.id, second.id);
    store.return_token("p", b"a", second.id).unwrap();
    assert_eq!(store.release_tokens("p", b"a"), Ok(1));
}

#[test]
fn a_second_opener_is_told_who_has_it() {
    let place = Place::new();
    let store = place.open();
    let Err(error) = place.try_open() else { panic!("two have it") };
    assert!(error.to_string().contains("is used by another host"), "{error}");
    assert_eq!(place.aside(), Vec::<PathBuf>::new());
    store.set("p", b"k", b"v", None).unwrap();
    store.flush().unwrap();
    drop(store);
    place.open();
}

#[test]
fn a_store_that_is_closed_has_written_everything_and_given_the_file_up() {
    let place = Place::new();
    let store = place.open();
    store.take_token("p", b"a", HOUR).unwrap();
    store.close();
    store.close();
    assert_eq!(place.open().release_tokens("p", b"a"), Ok(1));
    // Who still has it is not left waiting.
    assert_eq!(store.take_token("p", b"a", HOUR).unwrap().alive, 2);
    let Err(error) = store.upsert(lock(user("bob"), None)) else { panic!("nobody writes it") };
    assert!(error.to_string().contains("the store is closed"), "{error}");
}

#[test]
fn only_the_owner_can_read_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("new/state");
    drop(DiskStore::open(&state, ROOM).unwrap());
    let mode = state.join(FILE_NAME).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
