//! Locks: who holds one is turned away, by the proxy or by Teleport.

use crate::{Error, Result, host};
use prost::Message;
use prost_types::Timestamp;
use proto::events::UserMetadata;
use proto::types::{LockSpecV2, LockTarget, LockV2};
use std::time::Duration;

/// Locks the user of an event for this long; `message` is what they are told. A lock that this user
/// already has is renewed.
///
/// # Errors
///
/// The event names neither a user nor a login, or `duration` ends after the year 9999.
pub fn create(user: &UserMetadata, duration: Duration, message: &str) -> Result<()> {
    if user.user.is_empty() && user.login.is_empty() {
        return Err(Error::new("the event names no user that could be locked"));
    }
    let now = crate::now();
    let expires = now
        .checked_add(duration)
        .map(Timestamp::from)
        .filter(|expires| expires.seconds <= LAST_SECOND)
        .ok_or_else(|| Error::new(format_args!("a lock cannot last for {duration:?}")))?;
    let target =
        LockTarget { user: user.user.clone(), login: user.login.clone(), ..LockTarget::default() };
    let spec = LockSpecV2 {
        target: Some(target),
        message: message.to_owned(),
        expires: Some(expires),
        created_at: Some(now.into()),
        ..LockSpecV2::default()
    };
    upsert(&LockV2 { spec: Some(spec), ..LockV2::default() });
    Ok(())
}

/// Creates a lock, or renews the one of the same name. The host fills in what is left out: kind,
/// version, and a name that follows from the target. Without an expiry it lasts until it is removed.
pub fn upsert(lock: &LockV2) {
    host::upsert_lock(&lock.encode_to_vec());
}

/// The end of the year 9999, where RFC 3339 and protobuf's timestamps end.
const LAST_SECOND: i64 = 253_402_300_799;
