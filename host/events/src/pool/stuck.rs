//! Slots whose module does not come back from what it runs to begin with.
//!
//! Extism has no timeout for that. When a pool is built, a slot that does not come back is an error. Later,
//! after an instance was thrown away, whoever waits is answered by a watcher in place of the slot; and when
//! no slot is left, so is everybody.

use super::error::CallError;
use super::{Answers, Job};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder as Thread;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Whoever waits for a job, until he is answered.
#[derive(Clone)]
pub(super) struct Asker(Arc<Mutex<Option<Waiting>>>);

type Waiting = (OwnedSemaphorePermit, oneshot::Sender<Answers>);

impl Asker {
    pub(super) fn new(permit: OwnedSemaphorePermit, reply: oneshot::Sender<Answers>) -> Self {
        Self(Arc::new(Mutex::new(Some((permit, reply)))))
    }

    fn take(&self) -> Option<Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether nobody waits any more.
    pub(super) fn has_left(&self) -> bool {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.as_ref().is_none_or(|(_, reply)| reply.is_closed())
    }

    /// Answers, if nobody else has.
    pub(super) fn answer(&self, answers: Answers) {
        if let Some((permit, reply)) = self.take() {
            // Whoever comes next may hand his job over while this one is told.
            drop(permit);
            let _ = reply.send(answers);
        }
    }
}

/// How many slots of a pool do not come back.
pub(super) struct Stuck {
    plugin: Arc<str>,
    slots: usize,
    stuck: AtomicUsize,
    jobs: Receiver<Job>,
    /// How long what a module runs to begin with may take.
    pub(super) limit: Duration,
}

impl Stuck {
    pub(super) fn new(
        plugin: Arc<str>,
        slots: usize,
        jobs: Receiver<Job>,
        limit: Duration,
    ) -> Arc<Self> {
        Arc::new(Self { plugin, slots, stuck: AtomicUsize::new(0), jobs, limit })
    }

    /// What is said of one.
    pub(super) fn error(&self) -> CallError {
        let reason = format!("what it runs to begin with ran longer than {:?}", self.limit);
        CallError::Instance(reason.into())
    }

    /// Answers those who wait for a slot, if none is left. To call after each job that is handed over, since
    /// the last slot may have got stuck just before.
    pub(super) fn answer_if_all_are(&self) {
        if self.stuck.load(SeqCst) == self.slots {
            for job in self.jobs.try_iter() {
                job.asker.answer(vec![Err(self.error())]);
            }
        }
    }

    /// Counts a slot whose thread has ended, when this is dropped: a panic ends it.
    pub(super) fn unless_it_ends(self: &Arc<Self>) -> impl Drop + use<> {
        struct Ended(Arc<Stuck>);
        impl Drop for Ended {
            fn drop(&mut self) {
                self.0.stuck.fetch_add(1, SeqCst);
                self.0.answer_if_all_are();
            }
        }
        Ended(self.clone())
    }

    /// Makes an instance for somebody, who is answered if that does not come back in time.
    pub(super) fn watch<T>(self: &Arc<Self>, asker: &Asker, make: impl FnOnce() -> T) -> T {
        let (done, back) = crossbeam_channel::bounded::<()>(0);
        let (stuck, asker) = (self.clone(), asker.clone());
        let watch = move || {
            // Nothing is ever sent: the other end is dropped when it has come back.
            if back.recv_timeout(stuck.limit) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let (plugin, slots) = (&*stuck.plugin, stuck.slots);
            let count = stuck.stuck.fetch_add(1, SeqCst) + 1;
            tracing::error!(
                plugin,
                "the event plugin {}; it goes on, and {count} of {slots} instances cannot be used",
                stuck.error()
            );
            asker.answer(vec![Err(stuck.error())]);
            stuck.answer_if_all_are();
            let _ = back.recv();
            stuck.stuck.fetch_sub(1, SeqCst);
        };
        // Without a thread nobody watches, and all is as if it came back.
        let watcher = Thread::new().name(format!("start of {}", self.plugin)).spawn(watch);
        let made = make();
        drop(done);
        if let Ok(watcher) = watcher {
            let _ = watcher.join();
        }
        made
    }
}
