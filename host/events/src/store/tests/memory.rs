//! Counting, expiry and room, which both stores share.

use super::super::clock::Clock;
use super::super::journal::Journal;
use super::*;
use crate::store::{CLUSTER_LOCKS, MAX_KEY, MemoryStore, Store, StoreError, Token};
use std::collections::BTreeSet;
use std::sync::Arc;

fn store(limit: usize) -> (MemoryStore, FakeTime) {
    let time = FakeTime::at(TODAY);
    let clock = Clock::resume(Box::new(time.clone()), None);
    (MemoryStore::with(limit, clock, Arc::new(Journal::off())), time)
}

fn alive(token: Result<Token, StoreError>) -> u64 {
    token.unwrap().alive
}

#[test]
fn the_fourth_failure_within_five_minutes_is_the_fourth() {
    let (store, time) = store(ROOM);
    let fail = || alive(store.take_token("lockout", b"bob", 5 * MINUTE));
    assert_eq!([fail(), fail(), fail(), fail()], [1, 2, 3, 4]);
    time.pass(5 * 60_000 - 1);
    assert_eq!(fail(), 5);
    time.pass(1);
    assert_eq!(fail(), 2);
}

#[test]
fn each_token_expires_by_itself() {
    let (store, time) = store(ROOM);
    let take = |minutes| alive(store.take_token("p", b"a", minutes * MINUTE));
    assert_eq!([take(3), take(1), take(2), take(0)], [1, 2, 3, 4]);
    assert_eq!(take(9), 4); // the one without time is over
    time.pass(60_000);
    assert_eq!(take(9), 4);
    time.pass(60_000);
    assert_eq!(take(9), 4);
    time.pass(60_000);
    assert_eq!(store.release_tokens("p", b"a"), Ok(3));
    assert_eq!(store.index().budget().used(), 0);
}

#[test]
fn scopes_and_keys_are_exact_and_plugins_do_not_meet() {
    let (store, _) = store(ROOM);
    for (space, scope) in [("p", &b"ab"[..]), ("p", b"a"), ("pa", b"b"), ("p", b"a\0"), ("p", b"")]
    {
        assert_eq!(alive(store.take_token(space, scope, HOUR)), 1, "{space} {scope:?}");
        assert_eq!(store.get(space, scope), Ok(None));
        store.set(space, scope, scope, None).unwrap();
    }
    assert_eq!(store.release_tokens("p", b"ab"), Ok(1));
    assert_eq!(store.delete("p", b"ab"), Ok(true));
    assert_eq!(alive(store.take_token("p", b"a", HOUR)), 2);
    assert_eq!(store.get("pa", b"b"), Ok(Some(b"b".to_vec())));
}

#[test]
fn a_token_is_given_back_once_and_only_to_its_scope() {
    let (store, time) = store(ROOM);
    let first = store.take_token("p", b"a", MINUTE).unwrap();
    let second = store.take_token("p", b"a", HOUR).unwrap();
    store.return_token("p", b"b", second.id).unwrap();
    store.return_token("q", b"a", second.id).unwrap();
    store.return_token("p", b"a", u64::MAX).unwrap();
    assert_eq!(alive(store.take_token("p", b"a", HOUR)), 3);
    store.return_token("p", b"a", second.id).unwrap();
    store.return_token("p", b"a", second.id).unwrap();
    assert_eq!(alive(store.take_token("p", b"a", HOUR)), 3);
    time.pass(60_000);
    store.return_token("p", b"a", first.id).unwrap();
    assert_eq!(store.release_tokens("p", b"a"), Ok(2));
    assert_eq!(store.index().budget().used(), 0);
}

#[test]
fn values_are_set_replaced_expired_and_deleted() {
    let (store, time) = store(ROOM);
    store.set("p", b"k", b"1", Some(MINUTE)).unwrap();
    store.set("p", b"k", b"22", None).unwrap();
    time.pass(60_000); // what was replaced does not take the new value along
    assert_eq!(store.get("p", b"k"), Ok(Some(b"22".to_vec())));
    store.set("p", b"k", b"3", Some(MINUTE)).unwrap();
    time.pass(60_000);
    assert_eq!(store.get("p", b"k"), Ok(None));
    assert_eq!(store.delete("p", b"k"), Ok(false));
    store.set("p", b"k", b"", Some(Duration::MAX)).unwrap();
    assert_eq!(store.get("p", b"k"), Ok(Some(Vec::new())));
    assert_eq!(store.delete("p", b"k"), Ok(true));
    assert_eq!(store.index().budget().used(), 0);
}

#[test]
fn a_full_store_refuses_forgets_nothing_and_takes_again_what_has_room() {
    let (store, time) = store(2000);
    store.set("p", b"old", &[0; 300], Some(MINUTE)).unwrap();
    let mut taken = 0;
    let error = loop {
        match store.take_token("p", b"a", HOUR) {
            Ok(token) => taken = token.alive,
            Err(error) => break error,
        }
    };
    assert_eq!(error, StoreError::Full(2000));
    assert!(error.to_string().contains("give it more room"), "{error}");
    assert!(store.index().budget().used() <= 2000);
    store.set("p", b"old", &[1; 300], Some(MINUTE)).unwrap(); // in its own place
    assert_eq!(store.set("p", b"new", b"", None), Err(StoreError::Full(2000)));
    assert_eq!(store.get("p", b"old").unwrap().unwrap(), [1; 300]);
    time.pass(60_000);
    store.set("p", b"new", b"", None).unwrap(); // what is over makes room in every shard
    assert_eq!(store.release_tokens("p", b"a"), Ok(taken));
}

/// A plugin that stores without end must not keep the others from counting.
#[test]
fn the_values_of_one_space_leave_half_of_the_store_to_the_others() {
    let (store, time) = store(6000);
    let set = |space: &str, key: u8, ttl| store.set(space, &[key], &[0; 300], ttl);
    for key in 0..5 {
        set("a", key, (key == 0).then_some(MINUTE)).unwrap();
    }
    let refused = StoreError::Share(3000);
    assert_eq!(set("a", 5, None), Err(refused.clone()));
    assert!(refused.to_string().contains("its share of the store"), "{refused}");
    set("a", 2, None).unwrap(); // in its own place
    set("b", 0, None).unwrap();
    store.take_token("a", b"a", HOUR).unwrap();
    time.pass(60_000);
    set("a", 5, None).unwrap(); // what is over gives its share back
    assert_eq!(store.delete("a", &[1]), Ok(true));
    set("a", 6, None).unwrap();
    assert_eq!(set("a", 7, None), Err(refused));
    // The host's own is no plugin's.
    (2..7).for_each(|key| assert_eq!(store.delete("a", &[key]), Ok(true)));
    (0..6).for_each(|key| store.set(CLUSTER_LOCKS, &[key], &[0; 300], None).unwrap());
}

#[test]
fn a_key_may_be_so_long_and_no_longer() {
    let (store, _) = store(ROOM);
    let (long, longer) = ([b'x'; MAX_KEY], [b'x'; MAX_KEY + 1]);
    store.take_token("p", &long, HOUR).unwrap();
    let refused = StoreError::KeyTooLong(MAX_KEY + 1);
    assert_eq!(store.take_token("p", &longer, HOUR), Err(refused.clone()));
    assert_eq!(store.set("p", &longer, b"", None), Err(refused));
}

#[test]
fn threads_on_one_scope_see_every_count_once() {
    const EACH: u64 = 2000;
    let (store, _) = store(ROOM * 100);
    let take = || alive(store.take_token("p", b"a", HOUR));
    let counts: Vec<BTreeSet<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (0..EACH).map(|_| take()).collect())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let all: BTreeSet<u64> = counts.into_iter().flatten().collect();
    assert_eq!(all, (1..=8 * EACH).collect());
}
