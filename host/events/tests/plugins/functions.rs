//! The host functions, through real plugins.

use crate::kit::{World, ask, login};
use fixtures::guest;
use host_events::locks::Locks;
use host_events::store::{MemoryStore, Store};
use host_events::{Manifest, OnError};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn the_fourth_failed_login_locks_the_user_out() {
    let world = World::new();
    let plugin = world.load(Manifest::new(guest("rust", "count"))).await;
    let failures = |user: &str, count| (0..count).map(|_| login(user)).collect::<Vec<_>>();
    ask(&plugin, failures("mallory", 3)).await;
    assert_eq!(world.store.locked("mallory"), None);
    ask(&plugin, failures("alice", 3)).await;
    ask(&plugin, failures("mallory", 1)).await;
    assert_eq!(world.store.locked("mallory").as_deref(), Some("Suspicious login activity"));
    assert_eq!(world.store.locked("alice"), None);
    let locks = world.store.list();
    let spec = locks[0].spec.as_ref().unwrap();
    assert_eq!((locks.len(), &*spec.created_by), (1, "event plugin count"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_batch_has_counted_is_not_counted_twice() {
    // Takes a token for every event of a batch, and then traps if it is told to.
    let text = r#"(module
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $load (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/user" "store_take_token" (func $take (param i64 i64) (result i64)))
  (func $count (local $scope i64)
    (local.set $scope (call $alloc (i64.const 1)))
    (call $store (local.get $scope) (i32.const 115))
    (drop (call $take (local.get $scope) (i64.const 3600))))
  (func (export "handle_event") (result i32) (local $at i64)
    (call $count)
    (local.set $at (call $alloc (i64.const 2)))
    (call $store (local.get $at) (i32.const 8))
    (call $store (i64.add (local.get $at) (i64.const 1)) (i32.const 1))
    (call $output (local.get $at) (i64.const 2))
    (i32.const 0))
  (func (export "handle_events") (result i32)
    (call $count) (call $count) (call $count) END))"#;
    // It traps, or answers nothing at all.
    for end in ["(unreachable)", "(i32.const 0)"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.wasm");
        std::fs::write(&path, wat::parse_str(text.replace("END", end)).unwrap()).unwrap();
        let world = World::new();
        let plugin = world.load(Manifest::new(path)).await;
        ask(&plugin, vec![login("a"), login("b"), login("c")]).await;
        let next = world.store.take_token("counts", b"s", Duration::from_secs(1)).unwrap();
        assert_eq!(next.alive, 4, "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_the_plugin_which_is_not_put_to_rest() {
    let mut world = World::new();
    world.services.store = Arc::new(MemoryStore::new(1));
    let manifest = Manifest {
        concurrency: Some(1),
        on_error: OnError::Stop,
        ..Manifest::new(guest("rust", "count"))
    };
    let plugin = world.load(manifest).await;
    for _ in 0..5 {
        let stopped = plugin.handle(&mut [Some(login("a"))]).await.unwrap_err().to_string();
        assert!(stopped.contains("was refused by the host: the store is full"), "{stopped}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_name_longer_than_a_key_is_counted_like_another() {
    let world = World::new();
    let plugin = world.load(Manifest::new(guest("rust", "count"))).await;
    let long = "x".repeat(5000);
    let other = format!("{long}y");
    ask(&plugin, vec![login(&other), login(&long), login(&long), login(&long)]).await;
    assert_eq!(world.store.list().len(), 0);
    ask(&plugin, vec![login(&long)]).await;
    assert_eq!(world.store.list().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_do_not_see_each_others_counts() {
    let world = World::new();
    let named =
        |name: &str| Manifest { name: name.to_owned(), ..Manifest::new(guest("rust", "count")) };
    let (one, two) = (world.load(named("one")).await, world.load(named("two")).await);
    for plugin in [&one, &two] {
        ask(plugin, (0..3).map(|_| login("a")).collect()).await;
    }
    assert_eq!(world.store.locked("a"), None);
}
