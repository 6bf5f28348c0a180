//! How many events may be out.

use crate::metrics::Metrics;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::{Notify, Semaphore};

/// How many events may be out at a time, over all streams: this bounds the memory.
#[derive(Debug)]
pub(crate) struct Room {
    pub(super) permits: Semaphore,
    size: u32,
    /// Places of events that were dropped.
    held: AtomicUsize,
    /// Events that were done.
    done: AtomicU64,
    many_done: Notify,
    /// From here on events may be dropped without a word: the program ends.
    ending: AtomicBool,
    pub(super) metrics: Metrics,
}

impl Room {
    pub(crate) fn new(size: u32, metrics: Metrics) -> Self {
        let permits = Semaphore::new(size as usize);
        let (held, ending) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (done, many_done) = (AtomicU64::new(0), Notify::new());
        Self { permits, size, held, done, many_done, ending, metrics }
    }

    /// Waits for a place; it is given back when the event is done.
    pub(crate) async fn take(&self) {
        // It is never closed.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
    }

    pub(super) fn done(&self) {
        self.permits.add_permits(1);
        // Never set back: another thread may count at the same time.
        if (self.done.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(self.size.into()) {
            self.many_done.notify_one();
        }
    }

    /// Waits until as many events were done as there is room for: if so many are lost to a crash, they
    /// are read again. So what a crash repeats is bounded by a number, not only by time.
    pub(crate) async fn many_done(&self) {
        self.many_done.notified().await;
    }

    /// No more events will be taken in: those that are dropped are not waited for.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.release();
    }

    /// After [`end`](Self::end): waits until no event is out.
    pub(crate) async fn empty(&self) {
        let _ = self.permits.acquire_many(self.size).await;
    }

    pub(super) fn dropped(&self) {
        // First held, then looked whether it is the end; there it is the other way round. So one of the two
        // gives the place back, whoever comes first.
        self.held.fetch_add(1, Ordering::SeqCst);
        if self.ending.load(Ordering::SeqCst) {
            self.release();
            return;
        }
        if self.metrics.dropped.inc() == 0 {
            tracing::error!(
                "an event was dropped before it was delivered: the cursor stays before it, and it is \
                 read again after a restart"
            );
        }
    }

    fn release(&self) {
        self.permits.add_permits(self.held.swap(0, Ordering::SeqCst));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread;

    /// Else whoever waits for the room to be empty waits for ever.
    #[test]
    fn a_place_is_given_back_of_what_is_dropped_just_when_the_end_comes() {
        for _ in 0..5000 {
            let (room, both) = (Room::new(0, Metrics::default()), Barrier::new(2));
            thread::scope(|scope| {
                scope.spawn(|| {
                    both.wait();
                    room.dropped();
                });
                both.wait();
                room.end();
            });
            assert_eq!(room.permits.available_permits(), 1);
        }
    }
}
