//! What the host lends to a module: `extism:host/env` through Extism's kit, the store from
//! `extism:host/user`. Bytes travel as offsets of Extism's memory, 0 for none; what is left there is
//! cleared after the call.
#![allow(unsafe_code)] // this module is the boundary

use crate::error::{Error, Result};
use extism_pdk::{LogLevel, Memory, extism as env};

#[link(wasm_import_module = "extism:host/user")]
// SAFETY: the host defines these with these types, and checks every offset: a wrong one ends the
// call and touches nothing of the plugin's.
unsafe extern "C" {
    safe fn store_take_token(scope: u64, ttl_seconds: u64) -> u64;
    safe fn store_release_tokens(scope: u64) -> u64;
    safe fn store_get(key: u64) -> u64;
    safe fn store_set(key: u64, value: u64, ttl_seconds: u64);
    safe fn store_delete(key: u64);
}

pub(super) fn input() -> Vec<u8> {
    extism_pdk::input_bytes()
}

pub(super) fn output(bytes: &[u8]) -> Result<()> {
    memory(bytes)?.set_output();
    Ok(())
}

/// Makes this call a failed one, also if it traps afterwards.
pub(super) fn fail(error: &str) {
    if let Ok(text) = memory(error.as_bytes()) {
        // SAFETY: a block that nobody frees.
        unsafe { env::error_set(text.offset()) }
    }
}

/// The whole configuration: JSON text, empty if there is none.
pub(super) fn config() -> Result<String> {
    let config = extism_pdk::config::get("*").map_err(Error::new)?;
    Ok(config.unwrap_or_default())
}

/// Writes a line to the host's log, which frees the block.
pub(super) fn log(level: LogLevel, line: &str) {
    if let Ok(line) = memory(line.as_bytes()) {
        line.log(level);
    }
}

/// What the host logs, as Extism numbers it: 0 for everything, 4 for errors alone.
pub(super) fn log_level() -> i32 {
    // SAFETY: no arguments.
    unsafe { env::get_log_level() }
}

pub(super) fn take_token(scope: &str, ttl_seconds: u64) -> Result<u64> {
    Ok(store_take_token(block(scope.as_bytes())?, ttl_seconds))
}

pub(super) fn release_tokens(scope: &str) -> Result<u64> {
    Ok(store_release_tokens(block(scope.as_bytes())?))
}

pub(super) fn value(key: &str) -> Result<Option<Vec<u8>>> {
    let offset = store_get(block(key.as_bytes())?);
    Ok(Memory::find(offset).map(|value| value.to_vec()))
}

pub(super) fn set_value(key: &str, value: &[u8], ttl_seconds: u64) -> Result<()> {
    store_set(block(key.as_bytes())?, block(value)?, ttl_seconds);
    Ok(())
}

pub(super) fn delete_value(key: &str) -> Result<()> {
    store_delete(block(key.as_bytes())?);
    Ok(())
}

fn block(bytes: &[u8]) -> Result<u64> {
    if bytes.is_empty() {
        return Ok(0);
    }
    Ok(memory(bytes)?.offset())
}

fn memory(bytes: &[u8]) -> Result<Memory> {
    Memory::from_bytes(bytes).map_err(Error::new)
}
