//! One chunk, read to its end however often the stream breaks.

use super::days::{ChunkMarks, Days};
use super::{HOPELESS, STUCK};
use crate::backoff::Backoff;
use crate::error::Failure;
use crate::event::Event;
use crate::reader::Reader;
use jiff::civil::Date;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// A chunk that is to be read.
#[derive(Debug)]
pub(crate) struct Task {
    pub(super) date: Date,
    pub(super) chunk: Arc<str>,
    /// From where on; from the beginning, if it is empty.
    pub(super) cursor: Arc<str>,
    pub(super) marks: ChunkMarks,
}

/// Ends when the chunk was read, or nobody takes events any more. It has a slot only while it reads.
pub(super) async fn read(
    reader: Reader,
    days: Arc<Days>,
    mut task: Task,
    mut slot: Option<OwnedSemaphorePermit>,
    slots: Arc<Semaphore>,
) {
    let mut backoff = Backoff::new(reader.config.timing.retry);
    loop {
        let held = match slot.take() {
            None => slots.clone().acquire_owned().await.ok(),
            held => held,
        };
        let failure = match attempt(&reader, &days, &mut task, &mut backoff).await {
            Ok(Some(())) => return days.over(&task),
            Ok(None) => return,
            Err(failure) => failure,
        };
        drop(held);
        let wait = backoff.next();
        reader.failed("ExportUnstructuredEvents", &failure, wait);
        match backoff.failures() {
            HOPELESS.. => days.is_hopeless(&task, failure),
            STUCK.. => days.is_stuck(&task, failure),
            _ => {}
        }
        sleep(wait).await;
    }
}

/// None: nobody takes events any more.
async fn attempt(
    reader: &Reader,
    days: &Days,
    task: &mut Task,
    backoff: &mut Backoff,
) -> Result<Option<()>, Failure> {
    let mut events = reader.rpc.export(task.date, &task.chunk, &task.cursor).await?;
    while let Some(exported) = events.next().await? {
        if backoff.failures() > 0 {
            if backoff.failures() >= STUCK {
                days.goes_on(task);
            }
            backoff.reset();
        }
        let event = Event::from(exported.event);
        // Read on from here after a failure: what is out is not read a second time.
        task.cursor = exported.cursor.into();
        let brought = reader.outlet.bring(&event, task.cursor.clone(), &task.marks).await;
        if brought.is_err() {
            return Ok(None);
        }
    }
    Ok(Some(()))
}
