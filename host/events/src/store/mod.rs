//! What plugins keep between events: small values, and tokens that expire one by one.
//!
//! Memory is the truth while the program runs ([`MemoryStore`]). A store on disk ([`DiskStore`]) is
//! the same with a journal behind it: a thread commits what has piled up in it, in groups.
//!
//! - A `kill -9` loses the values and tokens of at most the last 20 ms and of the commit that is under
//!   way. A commit takes milliseconds; if more comes than the disk takes, commits get larger and take
//!   longer, up to a second for a full store.
//! - A lock has survived when the call that made it returns.
//! - Scopes and keys are exact, counts are exact from any number of threads.
//! - The store is bounded and forgets nothing to make room: a count that forgets is wrong.
//! - Nothing here waits for the disk but locks: calls are short enough for a WebAssembly guest, whose
//!   timeout does not fire inside them.

mod budget;
mod clock;
mod disk;
mod file;
mod index;
mod journal;
mod memory;
mod name;
mod shard;
#[cfg(test)]
mod tests;
mod writer;

pub use disk::{DiskStore, FILE_NAME, OpenError, Stats};
pub use memory::MemoryStore;

pub(crate) use budget::{Budget, Shares};
pub(crate) use journal::{Journal, Kind, NEVER, Row};
pub(crate) use name::Name;

use std::time::Duration;

/// How many bytes a store has room for unless it is told otherwise.
pub const DEFAULT_LIMIT: usize = 64 << 20;

/// The host's own space, in which it remembers which locks a cluster has. It may take all of a store.
pub const CLUSTER_LOCKS: &str = "cluster/locks";

/// How long a key or scope may be, in bytes. User names are scopes, and whoever fails to log in
/// chooses them: a few long ones must not fill the store.
pub const MAX_KEY: usize = 1024;

/// What the host keeps for plugins. Each plugin has a `space` of its own.
pub trait Store: Send + Sync {
    /// The value of a key, unless there is none or it has expired.
    fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Sets a key; with a time to live it expires by itself.
    fn set(
        &self,
        space: &str,
        key: &[u8],
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError>;
    /// Removes a key; says whether it was there.
    fn delete(&self, space: &str, key: &[u8]) -> Result<bool, StoreError>;
    /// Adds a token, which expires by itself, to a scope.
    fn take_token(&self, space: &str, scope: &[u8], ttl: Duration) -> Result<Token, StoreError>;
    /// Gives a token back before its time, as a failed call of a batch must. One that is not there
    /// any more is given back already.
    fn return_token(&self, space: &str, scope: &[u8], id: u64) -> Result<(), StoreError>;
    /// Drops a scope's tokens; says how many were alive.
    fn release_tokens(&self, space: &str, scope: &[u8]) -> Result<u64, StoreError>;
}

/// A token that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// How many tokens of the scope are alive, this one included.
    pub alive: u64,
    /// What gives this one back.
    pub id: u64,
}

/// Why a store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It has no room. Nothing is thrown out to make some.
    #[error("the store is full ({0} bytes): let entries expire, delete some, or give it more room")]
    Full(usize),
    /// The values of a space take half of the store: the rest is for the others.
    #[error(
        "its values take {0} bytes, which is its share of the store: let them expire, delete some, or give \
         the store more room"
    )]
    Share(usize),
    /// A key or scope is longer than [`MAX_KEY`].
    #[error("a key or scope of {0} bytes is too long for the store: at most {MAX_KEY} are taken")]
    KeyTooLong(usize),
    /// A lock does not say whom it locks and until when.
    #[error("the lock was not taken: {0}")]
    BadLock(&'static str),
    /// A change of a lock is in force but not on disk; the store goes on trying.
    #[error("the change of the lock is in force, but it would not survive a restart yet: {0}")]
    NotSaved(String),
}
