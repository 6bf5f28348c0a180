//! Locks: who is turned away, until when, and what they are told.
//!
//! A lock turns a user of the proxy away when its target names a user, a login or both, each of them
//! is that user, and the target says nothing else: what a lock says of roles or devices the proxy
//! cannot check, so it leaves such locks to others. A lock that is over turns nobody away.

mod check;
mod table;

pub(crate) use table::LockTable;

use crate::store::StoreError;
use proto::types::LockV2;
use std::sync::Arc;

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
