//! The pool as a program uses it that has plugins of its own.

use crate::kit::{TIMEOUT, pool};
use host_events::extism::{Function, UserData, Val, ValType};
use host_events::{CallError, Pool};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Calls the program's function and returns what it gives.
const CALLER: &str = r#"
(module
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "mine" "double" (func $double (param i64) (result i64)))
  (func (export "twice") (result i32)
    (local $at i64)
    (local.set $at (call $alloc (i64.const 1)))
    (call $store (local.get $at) (i32.wrap_i64 (call $double (call $length))))
    (call $output (local.get $at) (i64.const 1))
    (i32.const 0)))"#;

fn double() -> Function {
    let body = |_: &mut _, arguments: &[Val], results: &mut [Val], _| {
        results[0] = Val::I64(2 * arguments[0].unwrap_i64());
        Ok(())
    };
    let double = Function::new("double", [ValType::I64], [ValType::I64], UserData::new(()), body);
    double.with_namespace("mine")
}

#[tokio::test(flavor = "multi_thread")]
async fn lends_functions_of_a_programs_own_namespace() {
    let wasm = wat::parse_str(CALLER).unwrap();
    let pool = Pool::builder("caller", wasm).functions([double()]).build().await.unwrap();
    assert_eq!(pool.exports().collect::<Vec<_>>(), ["twice"]);
    let answer: Vec<u8> = pool.call("twice", "four").await.unwrap();
    assert_eq!(answer, [8]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_not_lent_is_named() {
    let wasm = wat::parse_str(CALLER).unwrap();
    let error = Pool::builder("caller", wasm).build().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "caller: imports mine.double, which this host does not lend to it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_not_there_is_named_and_harms_nothing() {
    let pool = pool("echo").await;
    let error = pool.call::<Vec<u8>>("nothing", "").await.unwrap_err();
    assert_eq!(error, CallError::NoExport("nothing".into()));
    assert!(pool.call::<Vec<u8>>("handle_event", "").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn output_that_is_not_of_the_type_asked_for_is_an_error() {
    let pool = pool("garbage").await;
    let error = pool.call::<String>("handle_event", "").await.unwrap_err();
    assert!(matches!(error, CallError::Garbage(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_pool_ends_what_runs() {
    let wasm = std::fs::read(fixtures::wat("loop")).unwrap();
    let pool = Pool::builder("loop", wasm).timeout(Duration::from_secs(3600)).concurrency(1);
    let pool = pool.build().await.unwrap();
    let (began, caller) = (Instant::now(), pool.clone());
    let call = tokio::spawn(async move { caller.call::<Vec<u8>>("handle_event", "").await });
    call.abort();
    let _ = call.await;
    drop(pool);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_beyond_the_slots_wait_their_turn() {
    let wasm = std::fs::read(fixtures::wat("sleepy")).unwrap();
    let pool = Pool::builder("sleepy", wasm).timeout(TIMEOUT * 100).concurrency(2);
    let pool = pool.build().await.unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.call::<Vec<u8>>("handle_event", "").await })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
}

/// Runs `mine.wait` to begin with, until it gives 0.
const SLOW_TO_BEGIN: &str = r#"
(module
  (import "mine" "wait" (func $wait (result i64)))
  (func $begin (loop $again (br_if $again (i64.ne (call $wait) (i64.const 0)))))
  (start $begin)
  (func (export "trap") (result i32) unreachable)
  (func (export "fine") (result i32) (i32.const 0)))"#;

/// Extism has no timeout for what a module runs to begin with; and that it came back once, when the pool was
/// built, says nothing of the next instance.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_come_back_from_its_start_makes_nobody_wait_for_ever() {
    let waits = Arc::new(AtomicI64::new(0));
    let asked = waits.clone();
    let body = move |_: &mut _, _: &[Val], results: &mut [Val], _| {
        results[0] = Val::I64(asked.load(Ordering::Relaxed));
        std::thread::yield_now();
        Ok(())
    };
    let wait = Function::new("wait", [], [ValType::I64], UserData::new(()), body);
    let pool = Pool::builder("slow", wat::parse_str(SLOW_TO_BEGIN).unwrap())
        .concurrency(1)
        .functions([wait.with_namespace("mine")])
        .build()
        .await
        .unwrap();
    let fine = || pool.call::<Vec<u8>>("fine", "");
    waits.store(1, Ordering::Relaxed);
    assert!(matches!(pool.call::<Vec<u8>>("trap", "").await, Err(CallError::Trap(_))));
    for what in ["waits", "is told at once"] {
        let begin = Instant::now();
        let error = tokio::time::timeout(Duration::from_secs(30), fine()).await.expect(what);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("what it runs to begin with ran longer than 5s"), "{error}");
        assert_eq!(begin.elapsed() > Duration::from_secs(4), what == "waits");
    }
    waits.store(0, Ordering::Relaxed);
    let begin = Instant::now();
    while fine().await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(30), "it has come back");
    }
}
