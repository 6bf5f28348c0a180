//! The API of tests: every call succeeds and is recorded.

use crate::functions::Alerts;
use crate::locks::Locks;
use crate::store::{DEFAULT_LIMIT, MemoryStore, StoreError};
use prost::Message;
use proto::plugin::Alert;
use proto::types::LockV2;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a plugin has asked for in one test.
pub(super) struct Mock {
    /// What the API of production would make of it.
    real: MemoryStore,
    recorded: Mutex<Recorded>,
}

/// In protobuf, in the order in which they came.
#[derive(Default)]
struct Recorded {
    locks: Vec<Vec<u8>>,
    alerts: Vec<Vec<u8>>,
}

impl Default for Mock {
    fn default() -> Self {
        Self { real: MemoryStore::new(DEFAULT_LIMIT), recorded: Mutex::default() }
    }
}

impl Mock {
    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn locks(&self) -> Vec<Vec<u8>> {
        self.recorded().locks.clone()
    }

    pub(super) fn alerts(&self) -> Vec<Vec<u8>> {
        self.recorded().alerts.clone()
    }
}

impl Locks for Mock {
    fn upsert(&self, lock: LockV2) -> Result<(), StoreError> {
        self.recorded().locks.push(lock.encode_to_vec());
        if let Err(error) = self.real.upsert(lock) {
            tracing::warn!(target: "guest", "outside of tests this would fail: {error}");
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<bool, StoreError> {
        self.real.remove(name)
    }

    fn list(&self) -> Vec<LockV2> {
        self.real.list()
    }

    fn locked(&self, user: &str) -> Option<Arc<str>> {
        self.real.locked(user)
    }
}

impl Alerts for Mock {
    fn alert(&self, _: &str, alert: &Alert) {
        self.recorded().alerts.push(alert.encode_to_vec());
    }
}
