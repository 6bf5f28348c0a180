//! The store in memory.

use super::clock::{Clock, SystemTimes, millis};
use super::index::Index;
use super::journal::{Journal, Kind, NEVER, Row};
use super::{Name, Store, StoreError, Token};
use crate::locks::{LockTable, Locks};
use proto::types::LockV2;
use std::sync::Arc;
use std::time::Duration;

/// A store in memory, for tests and for trying plugins: what is in it ends with the process.
pub struct MemoryStore {
    clock: Clock,
    index: Index,
    locks: LockTable,
}

/// Locks have room for this part of the limit, beside it.
const LOCKS: usize = 8;

impl MemoryStore {
    /// A store of at most so many bytes, keys and bookkeeping included.
    pub fn new(limit: usize) -> Self {
        let clock = Clock::resume(Box::new(SystemTimes::new()), None);
        Self::with(limit, clock, Arc::new(Journal::off()))
    }

    pub(crate) fn with(limit: usize, clock: Clock, journal: Arc<Journal>) -> Self {
        let locks = LockTable::new(limit / LOCKS, journal.clone());
        Self { clock, index: Index::new(limit, journal), locks }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Takes in a row of the file.
    pub(crate) fn restore(&self, id: u64, row: Row) {
        match row.kind {
            Kind::Value | Kind::Token => self.index.restore(id, row),
            Kind::Lock => {
                if let Err(error) = self.locks.restore(id, &row) {
                    let name = String::from_utf8_lossy(row.name.key());
                    tracing::error!(
                        "the lock {name:?} cannot be read ({error}) and is not in force: make it anew"
                    );
                }
            }
        }
    }

    /// Removes what is over, at most so many rows behind each lock.
    pub(crate) fn clean(&self, most: usize) {
        self.index.clean(self.clock.now(), most);
        self.locks.clean(self.clock.wall(), most);
    }

    /// Everything that is there.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u64, Row)> {
        self.index.rows().chain(self.locks.rows())
    }
}

impl Store for MemoryStore {
    fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.index.value(&Name::new(space, key)?, self.clock.now()))
    }

    fn set(
        &self,
        space: &str,
        key: &[u8],
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let expires = ttl.map_or(NEVER, |ttl| now.saturating_add(millis(ttl)));
        self.index.set(&Name::new(space, key)?, value, expires, now)
    }

    fn delete(&self, space: &str, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.index.delete(&Name::new(space, key)?, self.clock.now()))
    }

    fn take_token(&self, space: &str, scope: &[u8], ttl: Duration) -> Result<Token, StoreError> {
        let now = self.clock.now();
        let expires = now.saturating_add(millis(ttl));
        self.index.take_token(&Name::new(space, scope)?, expires, now)
    }

    fn return_token(&self, space: &str, scope: &[u8], id: u64) -> Result<(), StoreError> {
        self.index.return_token(&Name::new(space, scope)?, id, self.clock.now());
        Ok(())
    }

    fn release_tokens(&self, space: &str, scope: &[u8]) -> Result<u64, StoreError> {
        Ok(self.index.release_tokens(&Name::new(space, scope)?, self.clock.now()))
    }
}

impl Locks for MemoryStore {
    fn upsert(&self, lock: LockV2) -> Result<(), StoreError> {
        self.locks.upsert(lock, self.clock.wall())
    }

    fn remove(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.locks.remove(name, self.clock.wall()))
    }

    fn list(&self) -> Vec<LockV2> {
        self.locks.list(self.clock.wall())
    }

    fn locked(&self, user: &str) -> Option<Arc<str>> {
        self.locks.locked(user, || self.clock.wall())
    }
}
