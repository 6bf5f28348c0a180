//! A limit to waiting, for poll functions.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// How long something may be waited for. Costs nothing as long as nothing is.
pub(crate) struct Patience {
    limit: Duration,
    /// Made at the first wait: most things never have one.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, timer: None, waiting: false }
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// What was waited for has come. The timer is set anew at the next wait, not here: between two
    /// waits time may pass that is somebody else's.
    pub(crate) fn rest(&mut self) {
        self.waiting = false;
    }

    /// Ready when it has been waited for too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = || Instant::now() + self.limit;
        let timer = match &mut self.timer {
            Some(timer) => {
                if !self.waiting {
                    timer.as_mut().reset(deadline());
                }
                timer
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(deadline()))),
        };
        self.waiting = true;
        timer.as_mut().poll(cx)
    }
}
