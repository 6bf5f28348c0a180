//! Time and chance, for guests whose language expects them and that have no WASI.

use crate::guest::function;
use extism::{Function, Val};
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// `clock_now() -> milliseconds since 1970`, `random_seed() -> a number of 64 random bits`, not for
/// cryptography.
pub(super) fn functions() -> [Function; 2] {
    let now = |_: &mut _, _: &[_]| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Some(Val::I64(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))))
    };
    let seed =
        |_: &mut _, _: &[_]| Ok(Some(Val::I64(RandomState::new().hash_one(0u8).cast_signed())));
    [function("clock_now", 0, 1, now), function("random_seed", 0, 1, seed)]
}
