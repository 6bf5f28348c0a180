//! A limit to waiting, for poll functions.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// The timers of a connection, used by one message after the other: to register one with the
/// runtime costs far more than to move one that is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers(Arc<Mutex<Vec<Pin<Box<Sleep>>>>>);

impl Timers {
    fn take(&self, deadline: Instant) -> Pin<Box<Sleep>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match kept {
            Some(mut timer) => {
                timer.as_mut().reset(deadline);
                timer
            }
            None => Box::pin(tokio::time::sleep_until(deadline)),
        }
    }

    fn give_back(&self, timer: Pin<Box<Sleep>>) {
        /// As many as one request of HTTP/1.1 has at once, and one to spare.
        const KEPT: usize = 4;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(timer);
        }
    }
}

/// How long something may be waited for. Costs nothing as long as nothing is.
pub(crate) struct Patience {
    limit: Duration,
    timers: Timers,
    /// Taken at the first wait: most things never have one.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Patience {
    pub(crate) fn new(limit: Duration, timers: Timers) -> Self {
        Self { limit, timers, timer: None, waiting: false }
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// What was waited for has come. The timer is set anew at the next wait, not here: between two
    /// waits time may pass that is somebody else's.
    pub(crate) fn rest(&mut self) {
        self.waiting = false;
    }

    /// Counts the wait from `since` on.
    pub(crate) fn wait_since(&mut self, since: Instant) {
        let deadline = since + self.limit;
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(deadline),
            none => *none = Some(self.timers.take(deadline)),
        }
        self.waiting = true;
    }

    /// Ready when it has been waited for too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.waiting {
            self.wait_since(Instant::now());
        }
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(cx),
            None => Poll::Pending, // cannot be: there is one while it waits
        }
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.timers.give_back(timer);
        }
    }
}
