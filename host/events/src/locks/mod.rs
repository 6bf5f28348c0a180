//! Locks: who is turned away, until when, and what they are told.
//!
//! A lock turns a user of the proxy away when its target names a user, a login or both, each of them
//! is that user, and the target says nothing else: what a lock says of roles or devices the proxy
//! cannot check, so it leaves such locks to others. A lock that is over turns nobody away.

mod check;
mod table;

pub(crate) use table::LockTable;

use crate::store::{NEVER, StoreError};
use proto::types::LockV2;
use std::sync::Arc;
use std::time::SystemTime;

/// The locks that are in force.
pub trait Locks: Send + Sync {
    /// Creates a lock, or replaces the one of that name. One without a name gets one from its target
    /// (`tenon-lock-<user>`), and characters that have no place in a name are escaped. It is in force,
    /// and will be after a restart, when this returns.
    fn upsert(&self, lock: LockV2) -> Result<(), StoreError>;
    /// Removes a lock, for good when this returns. Says whether there was one.
    fn remove(&self, name: &str) -> Result<bool, StoreError>;
    /// The locks that are in force, by name.
    fn list(&self) -> Vec<LockV2>;
    /// The message of a lock that holds this user. Asked at every request: without any lock it is one
    /// read of an atomic.
    fn locked(&self, user: &str) -> Option<Arc<str>>;
}

/// Checks a lock and fills in what it leaves out, its name among it: as [`Locks::upsert`] will take it.
pub fn complete(lock: LockV2) -> Result<LockV2, StoreError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    Ok(check::check(lock, now)?.lock)
}

/// A lock in short, for those who list locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Whom it locks: the fields of its target that are set.
    pub target: Vec<(&'static str, &'a str)>,
    /// What those are told.
    pub message: &'a str,
    /// When it is over, in milliseconds since 1970; `None`: never.
    pub expires: Option<u64>,
    /// Who made it.
    pub created_by: &'a str,
}

impl<'a> Summary<'a> {
    /// Of a lock that was taken; one that was not may lack its parts.
    pub fn of(lock: &'a LockV2) -> Option<Self> {
        let (spec, metadata) = lock.spec.as_ref().zip(lock.metadata.as_ref())?;
        Some(Self {
            name: &metadata.name,
            target: check::fields(spec.target.as_ref()?).collect(),
            message: &spec.message,
            expires: Some(check::end(spec, metadata)).filter(|end| *end != NEVER),
            created_by: &spec.created_by,
        })
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use proto::prost_types::Timestamp;
    use proto::types::{LockSpecV2, LockTarget, LockV2};

    /// A lock without a name.
    pub(crate) fn lock(target: LockTarget, expires: Option<i64>) -> LockV2 {
        let expires = expires.map(|seconds| Timestamp { seconds, nanos: 0 });
        let message = "too many failures".to_owned();
        let spec = LockSpecV2 { target: Some(target), message, expires, ..LockSpecV2::default() };
        LockV2 { spec: Some(spec), ..LockV2::default() }
    }

    pub(crate) fn user(name: &str) -> LockTarget {
        LockTarget { user: name.to_owned(), ..LockTarget::default() }
    }

    pub(crate) fn login(name: &str) -> LockTarget {
        LockTarget { login: name.to_owned(), ..LockTarget::default() }
    }
}
