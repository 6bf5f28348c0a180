//! How much is in the store.

use super::{CLUSTER_LOCKS, StoreError};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

/// Bytes that are taken and given back, never more of them than the limit.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    /// Takes `new` bytes in place of `old` ones that were taken before.
    pub(crate) fn swap(&self, old: usize, new: usize) -> Result<(), StoreError> {
        let more = new.saturating_sub(old);
        let fits = |used: usize| used.checked_add(more).filter(|sum| *sum <= self.limit);
        if more > 0 {
            self.used.fetch_update(Relaxed, Relaxed, fits).map_err(|_| self.full())?;
        } else {
            self.free(old - new);
        }
        Ok(())
    }

    /// Takes bytes beyond the limit if need be: what was saved is kept even if the limit is lower
    /// than it was.
    pub(crate) fn force(&self, bytes: usize) {
        self.used.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn free(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    fn full(&self) -> StoreError {
        StoreError::Full(self.limit)
    }
}

/// What the values of each space take: no more than a share, so that one plugin's leave room for those of
/// another, and for tokens. Tokens have none of their own: they are over one day.
#[derive(Debug)]
pub(crate) struct Shares {
    share: usize,
    /// As many as there are plugins.
    spaces: RwLock<HashMap<Box<str>, Arc<Budget>>>,
}

impl Shares {
    pub(crate) fn new(share: usize) -> Self {
        Self { share, spaces: RwLock::default() }
    }

    /// As [`Budget::swap`], for a value of this space.
    pub(crate) fn swap(&self, space: &str, old: usize, new: usize) -> Result<(), StoreError> {
        self.of(space).swap(old, new).map_err(|_| StoreError::Share(self.share))
    }

    /// As [`Budget::force`].
    pub(crate) fn force(&self, space: &str, bytes: usize) {
        self.of(space).force(bytes);
    }

    pub(crate) fn free(&self, space: &str, bytes: usize) {
        self.of(space).free(bytes);
    }

    fn of(&self, space: &str) -> Arc<Budget> {
        let known = self.spaces.read().unwrap_or_else(PoisonError::into_inner).get(space).cloned();
        known.unwrap_or_else(|| {
            let mut spaces = self.spaces.write().unwrap_or_else(PoisonError::into_inner);
            let limit = if space == CLUSTER_LOCKS { usize::MAX } else { self.share };
            spaces.entry(space.into()).or_insert_with(|| Arc::new(Budget::new(limit))).clone()
        })
    }
}
