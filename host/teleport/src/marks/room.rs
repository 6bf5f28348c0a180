//! How many events may be out.

use crate::metrics::Metrics;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// How many events may be out at a time, over all streams: this bounds the memory.
#[derive(Debug)]
pub(crate) struct Room {
    pub(super) permits: Semaphore,
    size: u32,
    /// Places of events that were dropped.
    held: AtomicUsize,
    /// From here on events may be dropped without a word: the program ends.
    ending: AtomicBool,
    pub(super) metrics: Metrics,
}

impl Room {
    pub(crate) fn new(size: u32, metrics: Metrics) -> Self {
        let permits = Semaphore::new(size as usize);
        let (held, ending) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { permits, size, held, ending, metrics }
    }

    /// Waits for a place; it is given back when the event is done.
    pub(crate) async fn take(&self) {
        // It is never closed.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
    }

    /// No more events will be taken in: those that are dropped are not waited for.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.permits.add_permits(self.held.swap(0, Ordering::SeqCst));
    }

    /// After [`end`](Self::end): waits until no event is out.
    pub(crate) async fn empty(&self) {
        let _ = self.permits.acquire_many(self.size).await;
    }

    pub(super) fn dropped(&self) {
        if self.ending.load(Ordering::SeqCst) {
            self.permits.add_permits(1);
            return;
        }
        self.held.fetch_add(1, Ordering::SeqCst);
        if self.metrics.dropped.inc() == 0 {
            tracing::error!(
                "an event was dropped before it was delivered: the cursor stays before it, and it is \
                 read again after a restart"
            );
        }
    }
}
