//! Locks in the cluster.

use crate::backoff::Backoff;
use crate::error::Failure;
use crate::metrics::Metrics;
use crate::rpc::Rpc;
use proto::types::LockV2;
use std::time::Duration;
use tokio::time::sleep;

/// Makes locks, over the connection that events come from. Clones do the same.
#[derive(Clone, Debug)]
pub struct Locker {
    rpc: Rpc,
    metrics: Metrics,
    retry: (Duration, Duration),
}

impl Locker {
    /// So often in all.
    const TRIES: u32 = 5;

    pub(crate) fn new(rpc: Rpc, metrics: Metrics, retry: (Duration, Duration)) -> Self {
        Self { rpc, metrics, retry }
    }

    /// Makes a lock, or renews the one of the same name. Kind and version are filled in. A server that
    /// does not answer is asked a few times, within half a minute or so.
    pub async fn upsert(&self, mut lock: LockV2) -> Result<(), Failure> {
        let name = lock.metadata.as_ref().map_or("", |metadata| metadata.name.as_str()).to_owned();
        let or = |text: &mut String, default: &str| {
            if text.is_empty() {
                default.clone_into(text);
            }
        };
        or(&mut lock.kind, "lock");
        or(&mut lock.version, "v2");
        let mut backoff = Backoff::new(self.retry);
        loop {
            let failure = match self.rpc.upsert_lock(lock.clone()).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let again = match &failure {
                Failure::Connect { .. } | Failure::Silent { .. } => true,
                Failure::Other { broken, .. } => !broken,
                _ => false,
            };
            let wait = backoff.next();
            if !again || backoff.failures() >= Self::TRIES {
                return Err(failure);
            }
            self.metrics.retry("UpsertLock");
            tracing::warn!("the lock {name:?} is tried again in {wait:?}: {failure}");
            sleep(wait).await;
        }
    }
}
