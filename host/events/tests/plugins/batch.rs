//! Many events in one call, and what happens when that fails.

use crate::kit::{World, ask, login, manifest};
use fixtures::guest;
use host_events::{Event, Manifest};

fn users(events: &[Option<Event>]) -> Vec<String> {
    let user = |event: &Event| {
        let json: serde_json::Value = serde_json::from_slice(event.json()).unwrap();
        json["user"].as_str().unwrap().to_owned()
    };
    events.iter().flatten().map(user).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_keeps_every_event_and_the_order() {
    let world = World::new();
    let plugin = world.load(manifest("echo")).await;
    let names: Vec<_> = (0..1000).map(|number| format!("user-{number}")).collect();
    let events = ask(&plugin, names.iter().map(|name| login(name)).collect()).await;
    assert_eq!(users(&events), names);
    assert!(events.iter().flatten().all(|event| !event.is_changed()));
    // 1000 events in batches of at most 256.
    let calls = r#"tenon_event_plugin_seconds_count{plugin="echo"} 4"#;
    assert!(world.scraped().contains(calls), "{}", world.scraped());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_that_traps_or_loops_costs_the_others_nothing() {
    for name in ["trap_on", "loop_on"] {
        let bad = if name == "trap_on" { "trap-now" } else { "loop-now" };
        let world = World::new();
        let plugin = world.load(manifest(name)).await;
        let events = ask(&plugin, vec![login("a"), login(bad), login("c")]).await;
        assert_eq!(users(&events), ["a", bad, "c"]);
        let scraped = world.scraped();
        for line in [
            format!(r#"events_total{{plugin="{name}",became="failed"}} 1"#),
            format!(r#"events_total{{plugin="{name}",became="kept"}} 2"#),
            // The batch, then the bad event alone.
            format!(r#"discarded_total{{plugin="{name}"}} 2"#),
        ] {
            assert!(scraped.contains(&line), "{name}: {line}\n{scraped}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_or_too_many_answers_are_asked_for_one_by_one() {
    for name in ["too_few_answers", "too_many_answers"] {
        let world = World::new();
        let plugin = world.load(manifest(name)).await;
        let events = ask(&plugin, vec![login("a"), login("b"), login("c")]).await;
        assert_eq!(users(&events), ["a", "b", "c"]);
        let kept = format!(r#"events_total{{plugin="{name}",became="kept"}} 3"#);
        assert!(world.scraped().contains(&kept), "{}", world.scraped());
    }
}

/// Else each batch would cost its time, and then that of its events.
#[tokio::test(flavor = "multi_thread")]
async fn after_three_batches_that_failed_each_event_is_asked_about_alone_for_a_while() {
    let world = World::new();
    let plugin = world.load(manifest("too_few_answers")).await;
    for calls in [4, 8, 12, 15] {
        let events = ask(&plugin, vec![login("a"), login("b"), login("c")]).await;
        assert_eq!(users(&events), ["a", "b", "c"]);
        let count = format!(r#"seconds_count{{plugin="too_few_answers"}} {calls}"#);
        assert!(world.scraped().contains(&count), "{calls}\n{}", world.scraped());
    }
}

/// Returns an object of `SIZE` bytes, a multiple of 8.
const LARGE: &str = r#"
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "store_u64" (func $store_eight (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (func (export "handle_event_json") (result i32)
    (local $at i64) (local $done i64)
    (local.set $at (call $alloc (i64.const SIZE)))
    (loop $again
      (call $store_eight (i64.add (local.get $at) (local.get $done)) (i64.const 0x2020202020202020))
      (local.set $done (i64.add (local.get $done) (i64.const 8)))
      (br_if $again (i64.lt_u (local.get $done) (i64.const SIZE))))
    (call $store (local.get $at) (i32.const 123))
    (call $store (i64.add (local.get $at) (i64.const SIZE - 1)) (i32.const 125))
    (call $output (local.get $at) (i64.const SIZE))
    (i32.const 0)))"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_becomes_only_so_much_larger() {
    for (size, changes) in [(200 << 10, true), (300 << 10, false)] {
        let text = LARGE.replace("SIZE - 1", &(size - 1).to_string());
        let file = tempfile::NamedTempFile::with_suffix(".wasm").unwrap();
        let wasm = wat::parse_str(text.replace("SIZE", &size.to_string())).unwrap();
        std::fs::write(file.path(), wasm).unwrap();
        let world = World::new();
        let plugin = world.load(Manifest::new(file.path())).await;
        let events = ask(&plugin, (0..9).map(|number| login(&number.to_string())).collect()).await;
        assert_eq!(events.len(), 9);
        for event in events.iter().flatten() {
            assert_eq!((event.is_changed(), event.json().len() == size), (changes, changes));
        }
        let failed = if changes { 0 } else { 9 };
        assert_eq!(plugin.counts().failed, failed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_goes_on_and_the_rest_of_its_batch_is_asked_about() {
    let world = World::new();
    let plugin = world.load(Manifest::new(guest("rust", "skip"))).await;
    let events = vec![
        login("a"),
        Event::new("no json"),
        Event::new("[1]"),
        login("secret-santa"),
        Event::new(r#"{"no":"type"}"#),
        login("c"),
    ];
    let after = ask(&plugin, events.clone()).await;
    let places: Vec<_> = after.iter().map(Option::is_some).collect();
    assert_eq!(places[1..3], [true, true]);
    for (before, after) in events.iter().zip(&after).filter(|(_, after)| after.is_some()) {
        assert_eq!(before.json(), after.as_ref().unwrap().json());
    }
    assert!(world.scraped().contains(r#"plugin="skip",became="unreadable"} 3"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_counted_once_however_often_its_batch_is_asked_about() {
    let world = World::new();
    let plugin = world.load(manifest("trap_on")).await;
    let after = ask(&plugin, vec![Event::new("no json"), login("trap-now"), login("c")]).await;
    assert!(after.iter().all(Option::is_some));
    let scraped = world.scraped();
    assert!(scraped.contains(r#"plugin="trap_on",became="unreadable"} 1"#), "{scraped}");
}
