//! The time that a call has.

use crate::status::{Code, Status};
use plugin_interface::HostServices;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

/// Runs from when it is made.
pub(crate) struct Deadline {
    timer: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    over: bool,
}

impl Deadline {
    pub(crate) fn new(time: Duration, host: HostServices) -> Self {
        Self { timer: Box::pin(host.sleep(time)), over: false }
    }

    /// An error once the time is over; wakes when it is.
    pub(crate) fn check(&mut self, cx: &mut Context<'_>) -> Result<(), Status> {
        self.over = self.over || self.timer.as_mut().poll(cx).is_ready();
        match self.over {
            true => Err(Status::new(Code::DeadlineExceeded, "the service took too long")),
            false => Ok(()),
        }
    }
}

/// What `future` gives, if that is in time.
pub(crate) async fn in_time<T>(
    deadline: &mut Option<Deadline>,
    future: impl Future<Output = T>,
) -> Result<T, Status> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        match deadline.as_mut().map(|deadline| deadline.check(cx)) {
            Some(Err(status)) => Poll::Ready(Err(status)),
            _ => Poll::Pending,
        }
    })
    .await
}
