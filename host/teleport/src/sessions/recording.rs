//! One recording, read to its end however often the stream breaks.

use crate::backoff::Backoff;
use crate::error::Failure;
use crate::event::Event;
use crate::marks::Marks;
use crate::reader::Reader;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// After so many failures in a row a recording that is said to be broken is broken; any other is left for
/// later: the log does not wait for what cannot be read.
const STUCK: u32 = 3;

/// Whoever wants to end with the last event waits for a server no longer than this.
const PATIENCE: u32 = 6;

/// A recording that is to be read.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: Arc<str>,
    pub(super) index: i64,
    pub(super) marks: Arc<Marks<i64>>,
    /// In the backlog; given back when the recording was read, or is left.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// How it went.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The index up to which events have gone out.
    pub(super) index: i64,
    /// None: it was read to its end.
    pub(super) failure: Option<Failure>,
}

/// What is wrong with the server or the way to it is tried again here, a few times; what is wrong with the
/// recording is the caller's.
pub(super) async fn read(
    reader: &Reader,
    mut task: Task,
    mut slot: Option<OwnedSemaphorePermit>,
    slots: Arc<Semaphore>,
) -> Outcome {
    let mut backoff = Backoff::new(reader.config.timing.retry);
    loop {
        let held = match slot.take() {
            None => slots.clone().acquire_owned().await.ok(),
            held => held,
        };
        let failure = attempt(reader, &mut task, &mut backoff).await.err();
        let over = match &failure {
            None | Some(Failure::NotFound { .. } | Failure::Unimplemented { .. }) => true,
            Some(Failure::Other { broken: true, .. }) => backoff.failures() + 1 >= STUCK,
            Some(failure) => {
                let most = if reader.config.exit_on_last_event { PATIENCE } else { STUCK };
                failure.needs_somebody() || backoff.failures() + 1 >= most
            }
        };
        if over {
            drop(task.place);
            return Outcome { index: task.index, failure };
        }
        drop(held);
        let wait = backoff.next();
        if let Some(failure) = &failure {
            reader.failed("StreamUnstructuredSessionEvents", failure, wait);
        }
        sleep(wait).await;
    }
}

async fn attempt(reader: &Reader, task: &mut Task, backoff: &mut Backoff) -> Result<(), Failure> {
    let mut events = reader.rpc.session(&task.id, task.index).await?;
    while let Some(event) = events.next().await? {
        backoff.reset();
        let event = Event::from(event);
        // The indices of a recording ascend; one that does not is not read again and again.
        task.index = task.index.max(event.index().saturating_add(1));
        let brought =
            reader.outlet.bring_of_session(&event, task.index, &task.marks, &task.id).await;
        if brought.is_err() {
            // Nobody takes events any more: wait for the end.
            std::future::pending::<()>().await;
        }
    }
    Ok(())
}
