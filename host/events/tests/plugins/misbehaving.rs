//! Each way to misbehave is told apart, is over in time, and costs the instance where it must.

use crate::kit::{TIMEOUT, World, ask, login, manifest, pool};
use host_events::CallError;
use std::time::{Duration, Instant};

async fn failure(name: &str) -> CallError {
    pool(name).await.call::<Vec<u8>>("handle_event", "").await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_ends_in_time_and_the_slot_goes_on() {
    let pool = pool("loop_on").await;
    let began = Instant::now();
    let error = pool.call::<Vec<u8>>("handle_event", "\x0a\x08loop-now").await.unwrap_err();
    assert_eq!(error, CallError::Timeout(TIMEOUT));
    assert!(began.elapsed() < TIMEOUT + Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(pool.call::<Vec<u8>>("handle_event", "\x0a\x04fine").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_the_plugins_and_extisms() {
    for name in ["eat_memory", "eat_kernel_memory"] {
        let error = failure(name).await;
        assert!(matches!(error, CallError::OutOfMemory(_) | CallError::Trap(_)), "{name}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traps_say_what_happened() {
    let text = failure("trap").await.to_string();
    assert!(text.contains("unreachable"), "{text}");
    let text = failure("stack").await.to_string();
    assert!(text.contains("call stack exhausted"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugins_own_error_is_its_text() {
    let error = failure("error").await;
    assert!(matches!(&error, CallError::Failed(text) if !text.is_empty()), "{error}");
}

/// `state` counts its calls and says so in the error of its answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_kept_between_calls_and_thrown_away_after_a_trap() {
    let pool = pool("state").await;
    let call = async |input: &str| pool.call::<Vec<u8>>("handle_event", input).await;
    assert!(call("").await.unwrap().ends_with(b"call 1"));
    assert!(call("").await.unwrap().ends_with(b"call 2"));
    assert!(matches!(call("trap-now").await, Err(CallError::Trap(_))));
    assert!(call("").await.unwrap().ends_with(b"call 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_none_leave_the_event_as_it_was() {
    for name in ["garbage", "truncated", "empty", "error", "trap"] {
        let world = World::new();
        let plugin = world.load(manifest(name)).await;
        let events = ask(&plugin, vec![login("alice")]).await;
        let event = events[0].as_ref().unwrap();
        assert_eq!(event.json(), login("alice").json(), "{name}");
        let failed =
            format!(r#"tenon_event_plugin_events_total{{plugin="{name}",became="failed"}} 1"#);
        assert!(world.scraped().contains(&failed), "{name}: {}", world.scraped());
    }
}
