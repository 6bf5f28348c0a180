//! Tokens and values. What a plugin stores is its own: other plugins do not see it.

use super::Refusal;
use crate::guest::{self, function};
use crate::pool::SlotState;
use crate::store::Store;
use extism::{CurrentPlugin, Error, Function, Val};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// The store, and the space in it that is one plugin's.
#[derive(Clone)]
pub(crate) struct Space {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) name: Arc<str>,
}

pub(crate) fn functions(space: &Space, state: &Arc<SlotState>) -> [Function; 5] {
    [
        take_token(space.clone(), state.clone()),
        release_tokens(space.clone()),
        get(space.clone()),
        set(space.clone()),
        delete(space.clone()),
    ]
}

/// Longer keys are kept as their hash, in bytes.
const LONG: usize = 64;

/// A key or scope. A user's name is one in most plugins, and whoever fails to log in chooses it: a
/// long one stands for itself by its hash, so that nobody makes a plugin fail with it, or fills the
/// store with a few.
fn key(plugin: &mut CurrentPlugin, arguments: &[Val]) -> Result<Vec<u8>, Error> {
    let key = guest::block(plugin, guest::integer(arguments, 0)?)?;
    if key.len() <= LONG {
        return Ok(key);
    }
    Ok([b"\0sha256 ", &Sha256::digest(&key)[..]].concat())
}

/// Seconds, not below zero.
fn seconds(arguments: &[Val], index: usize) -> Result<Duration, Error> {
    let seconds = guest::integer(arguments, index)?;
    let seconds = u64::try_from(seconds);
    Ok(Duration::from_secs(
        seconds.map_err(|_| Error::msg("the plugin passed a time to live below zero"))?,
    ))
}

fn number(count: u64) -> Val {
    Val::I64(i64::try_from(count).unwrap_or(i64::MAX))
}

/// `store_take_token(scope, ttl_seconds) -> count`
fn take_token(space: Space, state: Arc<SlotState>) -> Function {
    function("store_take_token", 2, 1, move |plugin, arguments| {
        let scope = key(plugin, arguments)?;
        let ttl = seconds(arguments, 1)?;
        let token = space.store.take_token(&space.name, &scope, ttl);
        let token = token.map_err(Refusal::of)?;
        let space = space.clone();
        state.lock().may_undo(Box::new(move || {
            if let Err(error) = space.store.return_token(&space.name, &scope, token.id) {
                tracing::error!(plugin = &*space.name, "a token was not given back: {error}");
            }
        }))?;
        Ok(Some(number(token.alive)))
    })
}

/// `store_release_tokens(scope) -> released`
fn release_tokens(space: Space) -> Function {
    function("store_release_tokens", 1, 1, move |plugin, arguments| {
        let scope = key(plugin, arguments)?;
        let released = space.store.release_tokens(&space.name, &scope);
        Ok(Some(number(released.map_err(Refusal::of)?)))
    })
}

/// `store_get(key) -> value or 0`
fn get(space: Space) -> Function {
    function("store_get", 1, 1, move |plugin, arguments| {
        let key = key(plugin, arguments)?;
        let value = space.store.get(&space.name, &key).map_err(Refusal::of)?;
        guest::put(plugin, &value.unwrap_or_default()).map(Some)
    })
}

/// `store_set(key, value, ttl_seconds)`; 0 seconds: it does not expire.
fn set(space: Space) -> Function {
    function("store_set", 3, 0, move |plugin, arguments| {
        let key = key(plugin, arguments)?;
        let value = guest::block(plugin, guest::integer(arguments, 1)?)?;
        let ttl = Some(seconds(arguments, 2)?).filter(|ttl| !ttl.is_zero());
        space.store.set(&space.name, &key, &value, ttl).map_err(Refusal::of)?;
        Ok(None)
    })
}

/// `store_delete(key)`
fn delete(space: Space) -> Function {
    function("store_delete", 1, 0, move |plugin, arguments| {
        let key = key(plugin, arguments)?;
        space.store.delete(&space.name, &key).map_err(Refusal::of)?;
        Ok(None)
    })
}
