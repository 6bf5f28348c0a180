//! Counts and values that the host keeps for the plugin: they outlive a call, the instance and a
//! restart, and are seen by all instances of this plugin and by no other plugin.
//!
//! Failures of the store end the call with the host's message, so nothing here returns them.

use crate::host;
use std::time::Duration;

/// Adds a token to `scope` and returns how many are alive, this one included. Each expires by
/// itself, `ttl` after it was taken: the count says how often something has happened within that
/// time. Scopes are exact: `foo` does not count `foobar`.
pub fn take_token(scope: impl AsRef<[u8]>, ttl: Duration) -> u64 {
    host::take_token(scope.as_ref(), seconds(ttl))
}

/// Drops all tokens of `scope` and returns how many there were.
pub fn release_tokens(scope: impl AsRef<[u8]>) -> u64 {
    host::release_tokens(scope.as_ref())
}

/// The value under `key`. None also when it has expired or is empty.
pub fn get(key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    host::value(key.as_ref())
}

/// Puts a value under `key`, for `ttl` or, without one, until it is deleted.
pub fn set(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Option<Duration>) {
    // To the host, 0 is no end.
    host::set_value(key.as_ref(), value.as_ref(), ttl.map_or(0, |ttl| seconds(ttl).max(1)));
}

/// Deletes what is under `key`, if anything is.
pub fn delete(key: impl AsRef<[u8]>) {
    host::delete_value(key.as_ref());
}

/// The host counts whole seconds, in a signed number: a part of one is one.
fn seconds(ttl: Duration) -> u64 {
    let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0));
    seconds.min(i64::MAX.cast_unsigned())
}
