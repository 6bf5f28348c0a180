//! The host functions, from `extism:host/env` (Extism's own) and `extism:host/user` (ours).
//!
//! Bytes travel through Extism's memory, which is another than the plugin's and is read and written
//! eight bytes a call. A block is named by its offset; 0 stands for no bytes. The plugin frees the
//! blocks that it makes and those that it gets; Extism's own functions free what they are given.
#![allow(unsafe_code)] // this module is the boundary

use extism_pdk::extism as env;
use log::{Level, LevelFilter};
use std::sync::Once;

#[link(wasm_import_module = "extism:host/user")]
// SAFETY: the host defines these with these types, and checks every offset: a wrong one ends the
// call and touches nothing of the plugin's.
unsafe extern "C" {
    safe fn store_take_token(scope: u64, ttl_seconds: u64) -> u64;
    safe fn store_release_tokens(scope: u64) -> u64;
    safe fn store_get(key: u64) -> u64;
    safe fn store_set(key: u64, value: u64, ttl_seconds: u64);
    safe fn store_delete(key: u64);
    safe fn lock_upsert(lock: u64);
    #[link_name = "alert"]
    safe fn alert_send(alert: u64);
    safe fn secret_get(name: u64) -> u64;
    safe fn clock_now() -> u64;
    safe fn test_fixture(number: u64) -> u64;
    safe fn test_latest_api_request() -> u64;
    safe fn test_alert(index: u64) -> u64;
}

pub(crate) fn take_token(scope: &[u8], ttl_seconds: u64) -> u64 {
    store_take_token(Block::of(scope).0, ttl_seconds)
}

pub(crate) fn release_tokens(scope: &[u8]) -> u64 {
    store_release_tokens(Block::of(scope).0)
}

pub(crate) fn value(key: &[u8]) -> Option<Vec<u8>> {
    taken(store_get(Block::of(key).0))
}

pub(crate) fn set_value(key: &[u8], value: &[u8], ttl_seconds: u64) {
    store_set(Block::of(key).0, Block::of(value).0, ttl_seconds);
}

pub(crate) fn delete_value(key: &[u8]) {
    store_delete(Block::of(key).0);
}

pub(crate) fn upsert_lock(lock: &[u8]) {
    lock_upsert(Block::of(lock).0);
}

pub(crate) fn alert(alert: &[u8]) {
    alert_send(Block::of(alert).0);
}

pub(crate) fn secret(name: &str) -> Option<Vec<u8>> {
    taken(secret_get(Block::of(name.as_bytes()).0))
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    clock_now()
}

pub(crate) fn fixture(number: u64) -> Vec<u8> {
    // The host ends the call when there is no such fixture; one without a type of event is no bytes.
    taken(test_fixture(number)).unwrap_or_default()
}

pub(crate) fn latest_api_request() -> Option<Vec<u8>> {
    taken(test_latest_api_request())
}

pub(crate) fn alert_sent(index: u64) -> Option<Vec<u8>> {
    taken(test_alert(index))
}

pub(crate) fn config(name: &str) -> Option<Vec<u8>> {
    let name = Block::of(name.as_bytes()).give();
    // SAFETY: a block that is no longer ours.
    taken(unsafe { env::config_get(name) })
}

/// The input of this call.
pub(crate) fn input() -> Vec<u8> {
    // SAFETY: no arguments.
    let length = unsafe { env::input_length() };
    // SAFETY: `at` is below `length`.
    let word = |at| unsafe { env::input_load_u64(at) };
    // SAFETY: the same.
    let byte = |at| unsafe { env::input_load_u8(at) };
    read(length, word, byte)
}

/// Sets what this call returns.
pub(crate) fn output(bytes: &[u8]) {
    let block = Block::of(bytes).give();
    // SAFETY: the block is as long as the bytes, and nobody frees it.
    unsafe { env::output_set(block, bytes.len() as u64) }
}

/// Makes this call a failed one. The host reports the text also when the plugin traps afterwards.
pub(crate) fn fail(error: &str) {
    let block = Block::of(error.as_bytes()).give();
    // SAFETY: a block that nobody frees.
    unsafe { env::error_set(block) }
}

/// What every export calls first.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // A panic is a trap here, which has no text.
        std::panic::set_hook(Box::new(|panic| fail(&panic.to_string())));
        // SAFETY: no arguments.
        let level = match unsafe { env::get_log_level() } {
            0 => LevelFilter::Trace,
            1 => LevelFilter::Debug,
            2 => LevelFilter::Info,
            3 => LevelFilter::Warn,
            4 => LevelFilter::Error,
            _ => LevelFilter::Off,
        };
        if log::set_logger(&HostLog).is_ok() {
            log::set_max_level(level);
        }
    });
}

struct HostLog;

impl log::Log for HostLog {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = record.args().to_string();
        let write = match record.level() {
            Level::Error => env::log_error,
            Level::Warn => env::log_warn,
            Level::Info => env::log_info,
            Level::Debug => env::log_debug,
            Level::Trace => env::log_trace,
        };
        let text = Block::of(text.as_bytes()).give();
        // SAFETY: a block that is no longer ours.
        unsafe { write(text) }
    }

    fn flush(&self) {}
}

/// A block of Extism's memory, by its offset.
struct Block(u64);

impl Block {
    /// One with a copy of these bytes.
    fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self(0);
        }
        // SAFETY: no conditions; the host ends the call when there is no room.
        let block = Self(unsafe { env::alloc(bytes.len() as u64) });
        let (words, rest) = bytes.as_chunks();
        let mut at = block.0;
        for word in words {
            let word = u64::from_le_bytes(*word);
            // SAFETY: the block is as long as the bytes, and `at` within it.
            unsafe { env::store_u64(at, word) };
            at += 8;
        }
        for &byte in rest {
            // SAFETY: the same.
            unsafe { env::store_u8(at, byte) };
            at += 1;
        }
        block
    }

    /// Leaves the block to somebody else.
    fn give(self) -> u64 {
        std::mem::ManuallyDrop::new(self).0
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.0 != 0 {
            // SAFETY: whoever has a `Block` owns the block.
            unsafe { env::free(self.0) };
        }
    }
}

/// Copies what the host has put into a block for us.
fn taken(block: u64) -> Option<Vec<u8>> {
    let block = Block(block);
    if block.0 == 0 {
        return None;
    }
    // SAFETY: the block is ours.
    let length = unsafe { env::length(block.0) };
    // SAFETY: `at` is below `length`.
    let word = |at| unsafe { env::load_u64(block.0 + at) };
    // SAFETY: the same.
    let byte = |at| unsafe { env::load_u8(block.0 + at) };
    Some(read(length, word, byte))
}

/// Reads eight bytes at a time, then what is left, from functions that take the place.
#[allow(clippy::cast_possible_truncation)] // the plugin's own memory is smaller than 4 GiB
fn read(length: u64, word: impl Fn(u64) -> u64, byte: impl Fn(u64) -> u8) -> Vec<u8> {
    let mut bytes = vec![0; length as usize];
    let (words, rest) = bytes.as_chunks_mut();
    let mut at = 0;
    for target in words {
        *target = word(at).to_le_bytes();
        at += 8;
    }
    for target in rest {
        *target = byte(at);
        at += 1;
    }
    bytes
}
