//! A guest that lies about its memory hurts nobody but itself.

use crate::kit::{World, manifest};
use host_events::{CallError, Pool};

/// Writes over the header of a block of Extism's memory, eight bytes before it, so that the block
/// seems to have 2 GiB, and passes the block on.
fn forger(import: &str, call: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
  {import}
  (func (export "run") (result i32)
    (local $block i64)
    (local.set $block (call $alloc (i64.const 16)))
    (call $store (i64.sub (local.get $block) (i64.const 8)) (i64.const 0x7fffffff7fffffff))
    {call}
    (i32.const 0)))"#
    );
    wat::parse_str(text).unwrap()
}

const FUNCTIONS: [(&str, &str); 7] = [
    ("log_info", "(param i64)"),
    ("log_error", "(param i64)"),
    ("error_set", "(param i64)"),
    ("config_get", "(param i64) (result i64)"),
    ("var_get", "(param i64) (result i64)"),
    ("var_set", "(param i64 i64)"),
    ("output_set", "(param i64 i64)"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_length_ends_the_call_and_not_the_host() {
    // A record that nobody wants is not read at all.
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    let _ = log.with_writer(std::io::sink).try_init();
    for (name, signature) in FUNCTIONS {
        let import = format!(r#"(import "extism:host/env" "{name}" (func $given {signature}))"#);
        let second = match name {
            "var_set" => "(local.get $block)",
            "output_set" => "(i64.const 0x7fffffff)",
            _ => "",
        };
        let call = format!("(call $given (local.get $block) {second})");
        let call = if signature.contains("result") { format!("(drop {call})") } else { call };
        let pool = Pool::builder(name, forger(&import, &call)).concurrency(1);
        let pool = pool.build().await.unwrap();
        let error = pool.call::<Vec<u8>>("run", "").await.unwrap_err();
        assert!(matches!(error, CallError::Trap(_)), "{name}: {error}");
    }
}

/// Offset and length of `output_set`, as `wild_offset` takes them from its input.
#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_is_not_the_guests_is_refused() {
    let plugin = World::new().load(manifest("wild_offset")).await;
    for (offset, length) in
        [(-8, i64::MAX), (4096, -1), (294, -100), (0, 1 << 23), (i64::MAX, 1), (1 << 33, 8)]
    {
        let call = |offset: i64, length: i64| {
            let input = [offset.to_le_bytes(), length.to_le_bytes()].concat();
            plugin.pool().call::<Vec<u8>>("output_set", input)
        };
        // Also where memory was read before, of which the host takes notice.
        for _ in 0..2 {
            assert_eq!(call(4096, 8).await.unwrap().len(), 8);
        }
        let error = call(offset, length).await.unwrap_err();
        assert!(matches!(error, CallError::Trap(_)), "{offset} {length}: {error}");
    }
}

/// To read nothing is possible anywhere, and says nothing of what is there.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_output_makes_no_memory_known() {
    let text = r#"(module
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (func (export "run") (result i32)
    (call $output_set (i64.const 0xffff0000) (i64.const 0))
    (call $output_set (i64.const 0x80000000) (i64.const 1024))
    (i32.const 0)))"#;
    let pool = Pool::builder("nothing", wat::parse_str(text).unwrap()).concurrency(1);
    let error = pool.build().await.unwrap().call::<Vec<u8>>("run", "").await.unwrap_err();
    assert!(matches!(error, CallError::Trap(_)), "{error}");
}

/// What is known of an instance's memory is of no use for the next one, whose memory is smaller.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_follows_has_a_memory_of_its_own() {
    const LARGE: usize = 4 << 20;
    let text = format!(
        r#"(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (func $large (call $output_set (call $alloc (i64.const {LARGE})) (i64.const {LARGE})))
  (func (export "large") (result i32) (call $large) (i32.const 0))
  (func (export "_start") (call $large))
  (func (export "trap") unreachable)
  (func (export "far") (result i32)
    (call $output_set (i64.const {LARGE}) (i64.const 8)) (i32.const 0)))"#
    );
    let pool = Pool::builder("next", wat::parse_str(text).unwrap()).concurrency(1);
    let pool = pool.build().await.unwrap();
    let call = |export: &str| pool.call::<Vec<u8>>(export, "");
    for last in ["trap", "_start"] {
        assert_eq!(call("large").await.unwrap().len(), LARGE);
        assert_eq!(call("far").await.unwrap().len(), 8, "it is there now");
        assert_eq!(call(last).await.is_ok(), last == "_start");
        let error = call("far").await.unwrap_err();
        assert!(matches!(error, CallError::Trap(_)), "after {last}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_functions_refuse_offsets_where_nothing_is() {
    let world = World::new();
    let plugin = world.load(manifest("wild_offset")).await;
    for name in [
        "store_take_token",
        "store_release_tokens",
        "store_get",
        "store_set",
        "store_delete",
        "lock_upsert",
        "alert",
        "secret_get",
    ] {
        for offset in [1, 100, 65_535, i64::from(u32::MAX), i64::MAX, -1, i64::MIN] {
            let error =
                plugin.pool().call::<Vec<u8>>(name, i64::to_le_bytes(offset).to_vec()).await;
            let error = error.unwrap_err();
            assert!(matches!(error, CallError::Trap(_)), "{name} {offset}: {error}");
        }
    }
}

/// The kernel's own record of the output, which a guest can write over.
#[tokio::test(flavor = "multi_thread")]
async fn an_output_forged_in_the_kernel_is_not_looked_at() {
    let text = r#"(module
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
  (func (export "run") (result i32)
    (local $at i64)
    (local.set $at (i64.const 40))
    (loop $next
      (call $store (local.get $at) (i64.const -1))
      (br_if $next (i64.lt_u (local.tee $at (i64.add (local.get $at) (i64.const 1))) (i64.const 96))))
    (i32.const 0)))"#;
    let pool = Pool::builder("forger", wat::parse_str(text).unwrap()).concurrency(1);
    let pool = pool.build().await.unwrap();
    assert!(pool.call::<Vec<u8>>("run", "").await.is_ok_and(|output| output.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_nothing_limits_is_refused() {
    for text in [
        "(module (table 1 funcref) (func (drop (table.grow 0 (ref.null func) (i32.const 1)))))",
        "(module (table 1000000000 funcref))",
    ] {
        let built = Pool::builder("tables", wat::parse_str(text).unwrap()).build().await;
        let refusal = built.unwrap_err().to_string();
        assert!(refusal.contains("give its tables a maximum"), "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_sends_alerts_without_end_is_refused() {
    let text = r#"(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/user" "alert" (func $alert (param i64)))
  (func (export "handle_event") (result i32)
    (local $at i64)
    (local.set $at (call $alloc (i64.const 2)))
    (call $store (local.get $at) (i32.const 0x20)) ;; {4 Severity: 0}
    (call $store (i64.add (local.get $at) (i64.const 1)) (i32.const 0))
    (loop $more (call $alert (local.get $at)) (br $more))
    (i32.const 0)))"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.wasm");
    std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    let plugin = World::new().load(host_events::Manifest::new(path)).await;
    let error = plugin.pool().call::<Vec<u8>>("handle_event", "").await.unwrap_err();
    assert!(matches!(error, CallError::Refused(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_with_wasi_can_neither_sleep_nor_end_itself() {
    for (import, call, why) in [
        (
            "\"poll_oneoff\" (func $f (param i32 i32 i32 i32) (result i32))",
            "(drop (call $f (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)))",
            "sleep",
        ),
        ("\"proc_exit\" (func $f (param i32))", "(call $f (i32.const 0))", "ended itself"),
    ] {
        let text = format!(
            "(module (import \"wasi_snapshot_preview1\" {import}) (memory (export \"memory\") 1)
               (func (export \"run\") (result i32) {call} (i32.const 0)))"
        );
        let pool = Pool::builder("wasi", wat::parse_str(text).unwrap()).build().await.unwrap();
        let error = pool.call::<Vec<u8>>("run", "").await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
