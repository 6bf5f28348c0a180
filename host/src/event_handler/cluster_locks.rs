//! Locks that plugins and failed logins make: kept here, and made in the cluster.
//!
//! The store is the queue. A lock is kept on disk first; whatever is in force there and was not
//! acknowledged by the cluster in just this form is made there, now or after a restart, and tried again
//! until it is.

use host_events::locks::{Locks, Summary, complete};
use host_events::store::{CLUSTER_LOCKS, Store, StoreError};
use host_teleport::Locker;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use proto::prost::Message;
use proto::types::LockV2;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// How long to wait before locks that the cluster did not take are tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// So many locks at most are removed for one: enough for the largest that there may be.
const ROOM: usize = 64;

/// What is counted of locks. Clones count the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct LockMetrics {
    made: Counter,
    failed: Counter,
    waiting: Gauge,
}

impl LockMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Locks that the cluster has taken";
        registry.register("tenon_cluster_locks", help, self.made.clone());
        let help = "Attempts to make a lock in the cluster that failed";
        registry.register("tenon_cluster_lock_failures", help, self.failed.clone());
        let help = "Locks that are in force here and that the cluster does not have yet";
        registry.register("tenon_cluster_locks_waiting", help, self.waiting.clone());
    }
}

/// The locks, as plugins make them.
pub(crate) struct ClusterLocks {
    local: Arc<dyn Locks>,
    store: Arc<dyn Store>,
    made: Arc<Notify>,
    stays: Option<Stays>,
    /// Held by whoever makes a lock, and alone by whoever makes room.
    room: RwLock<()>,
}

/// Why locks do not reach a cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stays {
    NoCluster,
    DryRun,
}

impl ClusterLocks {
    /// Locks that are kept in `local`, and are for a cluster unless they stay here; `store` has what the
    /// cluster has.
    pub(crate) fn new(local: Arc<dyn Locks>, store: Arc<dyn Store>, stays: Option<Stays>) -> Self {
        Self { local, store, made: Arc::default(), stays, room: RwLock::default() }
    }

    /// What brings them to the cluster.
    pub(crate) fn outbox(&self, locker: Locker, metrics: LockMetrics) -> Outbox {
        let Self { local, store, made, .. } = self;
        Outbox { local: local.clone(), made: made.clone(), store: store.clone(), locker, metrics }
    }

    /// Whoever fails to log in under ever other names must not keep the next lock out: those that the cluster
    /// has are in force there, whether they are listed here or not.
    fn make_room_for(&self, lock: &LockV2) -> Result<(), StoreError> {
        // So none is made anew meanwhile that the cluster would then not get.
        let _alone = self.room.write().unwrap_or_else(PoisonError::into_inner);
        let mut kept = self.local.upsert(lock.clone());
        // Each waits for the disk.
        for known in self.local.list().iter().filter(|lock| is_known(&*self.store, lock)).take(ROOM)
        {
            if !matches!(kept, Err(StoreError::Full(_))) {
                break;
            }
            let name = name(known);
            // One whose end is not on disk yet makes room all the same.
            let _ = self.local.remove(name);
            self.store.delete(CLUSTER_LOCKS, name.as_bytes())?;
            tracing::warn!(
                "there are too many locks: {name:?}, which the cluster has, is not listed here any more"
            );
            kept = self.local.upsert(lock.clone());
        }
        kept
    }
}

impl Locks for ClusterLocks {
    fn upsert(&self, lock: LockV2) -> Result<(), StoreError> {
        let Some(stays) = self.stays else {
            let kept = {
                let _making = self.room.read().unwrap_or_else(PoisonError::into_inner);
                self.local.upsert(lock.clone())
            };
            let kept = match kept {
                Err(StoreError::Full(_)) => self.make_room_for(&lock),
                kept => kept,
            };
            self.made.notify_one();
            return kept;
        };
        // It may have no name before.
        let lock = complete(lock)?;
        let name = name(&lock).to_owned();
        self.local.upsert(lock)?;
        match stays {
            Stays::NoCluster => {
                tracing::warn!("the lock {name:?} is made here only: there is no cluster");
            }
            Stays::DryRun => tracing::warn!("dry run: the lock {name:?} is not made"),
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<bool, StoreError> {
        self.local.remove(name)
    }

    fn list(&self) -> Vec<LockV2> {
        self.local.list()
    }

    fn locked(&self, user: &str) -> Option<Arc<str>> {
        self.local.locked(user)
    }
}

/// Brings locks to the cluster.
pub(crate) struct Outbox {
    local: Arc<dyn Locks>,
    made: Arc<Notify>,
    store: Arc<dyn Store>,
    locker: Locker,
    metrics: LockMetrics,
}

impl Outbox {
    /// On and on.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            if self.send().await {
                self.made.notified().await;
            } else {
                let _ = tokio::time::timeout(AGAIN, self.made.notified()).await;
            }
        }
    }

    /// Makes what the cluster does not have. Says whether it has everything now.
    pub(crate) async fn send(&self) -> bool {
        let waiting = self.waiting();
        let mut left = waiting.len();
        self.metrics.waiting.set(i64::try_from(left).unwrap_or(i64::MAX));
        for lock in waiting {
            let name = name(&lock).to_owned();
            match self.locker.upsert(lock.clone()).await {
                Ok(()) => {
                    tracing::info!("the cluster has the lock {name:?}");
                    self.metrics.made.inc();
                    self.metrics.waiting.dec();
                    left -= 1;
                    self.remember(&lock);
                }
                Err(failure) => {
                    self.metrics.failed.inc();
                    tracing::error!("the lock {name:?} is not made yet: {failure}");
                }
            }
        }
        left == 0
    }

    fn waiting(&self) -> Vec<LockV2> {
        let mut locks = self.local.list();
        locks.retain(|lock| !is_known(&*self.store, lock));
        locks
    }

    fn remember(&self, lock: &LockV2) {
        let now = SystemTime::now();
        let end = Summary::of(lock).and_then(|lock| lock.expires).map(Duration::from_millis);
        // As long as the lock itself is listed.
        let left = end.map(|end| (SystemTime::UNIX_EPOCH + end).duration_since(now));
        let left = left.map(Result::unwrap_or_default);
        let known =
            self.store.set(CLUSTER_LOCKS, name(lock).as_bytes(), &lock.encode_to_vec(), left);
        if let Err(error) = known {
            tracing::warn!("the lock {:?} will be made again after a restart: {error}", name(lock));
        }
    }
}

/// Whether the cluster has it, in just this form.
fn is_known(store: &dyn Store, lock: &LockV2) -> bool {
    let known = store.get(CLUSTER_LOCKS, name(lock).as_bytes()).ok().flatten();
    known == Some(lock.encode_to_vec())
}

fn name(lock: &LockV2) -> &str {
    lock.metadata.as_ref().map_or("", |metadata| &metadata.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locks::tests::lock;
    use host_events::store::MemoryStore;

    /// Room for two.
    fn locks() -> (ClusterLocks, Arc<MemoryStore>) {
        let store = Arc::new(MemoryStore::new(8 * 1600));
        (ClusterLocks::new(store.clone(), store.clone(), None), store)
    }

    #[test]
    fn locks_that_the_cluster_has_make_room_for_one_that_it_lacks() {
        let (locks, store) = locks();
        locks.upsert(lock("ann")).unwrap();
        locks.upsert(lock("bob")).unwrap();
        assert!(matches!(locks.upsert(lock("eve")), Err(StoreError::Full(_))), "it has none");
        let ann = &locks.list()[0];
        store.set(CLUSTER_LOCKS, name(ann).as_bytes(), &ann.encode_to_vec(), None).unwrap();
        locks.upsert(lock("eve")).unwrap();
        let names: Vec<_> = locks.list().iter().map(|lock| name(lock).to_owned()).collect();
        assert_eq!(names, ["tenon-lock-bob", "tenon-lock-eve"]);
    }
}
