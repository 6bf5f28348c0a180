//! How much is in the store.

use super::StoreError;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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
