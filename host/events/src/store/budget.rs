//! How much is in the store.

use super::StoreError;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// How the host's own spaces begin. No plugin has a slash in its name.
const HOST: &str = "cluster/";

/// What the values of each space take: no more than a share, so that one plugin's leave room for those of
/// another, and for tokens. Tokens have none of their own: they are over one day.
#[derive(Debug)]
pub(crate) struct Shares {
    share: usize,
    spaces: Mutex<HashMap<Box<str>, usize>>,
}

impl Shares {
    pub(crate) fn new(share: usize) -> Self {
        Self { share, spaces: Mutex::default() }
    }

    /// As [`Budget::swap`], for a value of this space. The host's own space, `cluster/…`, may take what
    /// there is.
    pub(crate) fn swap(&self, space: &str, old: usize, new: usize) -> Result<(), StoreError> {
        let mut spaces = self.spaces();
        let used = spaces.get(space).copied().unwrap_or_default();
        let sum = used.saturating_sub(old).saturating_add(new);
        if new > old && sum > self.share && !space.starts_with(HOST) {
            return Err(StoreError::Share(self.share));
        }
        match spaces.get_mut(space) {
            Some(used) => *used = sum,
            None => _ = spaces.insert(space.into(), sum),
        }
        Ok(())
    }

    /// As [`Budget::force`].
    pub(crate) fn force(&self, space: &str, bytes: usize) {
        *self.spaces().entry(space.into()).or_default() += bytes;
    }

    pub(crate) fn free(&self, space: &str, bytes: usize) {
        let mut spaces = self.spaces();
        if let Some(used) = spaces.get_mut(space) {
            *used = used.saturating_sub(bytes);
            if *used == 0 {
                spaces.remove(space);
            }
        }
    }

    fn spaces(&self) -> MutexGuard<'_, HashMap<Box<str>, usize>> {
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
