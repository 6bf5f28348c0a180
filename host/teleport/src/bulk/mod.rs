//! The bulk export: a day's events in chunks, several of them at a time.
//!
//! A day is listed again and again while chunks may still come to it: today, and the two days before.
//! Then it is over, as with the event handler. A chunk that cannot be read is tried on its own; it holds
//! up neither the other chunks nor the days after it.

mod chunk;
mod days;

pub(crate) use days::Days;

use crate::backoff::Backoff;
use crate::error::{Error, Failure};
use crate::reader::Reader;
use crate::time::{start_of, today};
use chunk::Task;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// Days before today of which chunks may still come, as with the event handler.
const BACKLOG: i64 = 2;

/// After so many failures in a row nobody waits for a chunk, or for the list of chunks.
const STUCK: u32 = 4;

/// After so many, some minutes, a chunk is left to the next start if everything is to end.
const HOPELESS: u32 = 10;

/// Why the bulk export is over.
#[derive(Debug)]
pub(crate) enum End {
    /// Everything there is has been read. Only if that was asked for.
    CaughtUp,
    /// The server cannot do it, or has no chunks although it has events.
    NotHere(String),
}

/// Reads on from where the days are, until the end of time, or as asked.
pub(crate) async fn run(reader: &Reader, days: &Arc<Days>) -> Result<End, Error> {
    // What still tries to read a chunk when windows take over ends with this.
    let stop = reader.stop.child_token();
    let _end = stop.clone().drop_guard();
    let reader = &Reader { stop, ..reader.clone() };
    let slots = Arc::new(Semaphore::new(reader.config.concurrency));
    let bulk = Bulk { reader, days, slots };
    bulk.resume();
    let mut first = true;
    loop {
        if let Some(end) = bulk.pass().await? {
            return Ok(end);
        }
        if std::mem::take(&mut first)
            && days.chunks_seen() == 0
            && let Some(why) = bulk.has_no_chunks().await?
        {
            return Ok(End::NotHere(why));
        }
        days.forget(today().saturating_sub(BACKLOG.days()));
        if reader.config.exit_on_last_event {
            return match days.hopeless().await {
                Some((chunks, last)) => Err(Error::Unfinished { chunks, last }),
                None => Ok(End::CaughtUp),
            };
        }
        sleep(reader.config.timeout).await;
    }
}

struct Bulk<'a> {
    reader: &'a Reader,
    days: &'a Arc<Days>,
    /// One for each chunk that is being read.
    slots: Arc<Semaphore>,
}

impl Bulk<'_> {
    /// Chunks that were being read when the program ended.
    fn resume(&self) {
        for task in self.days.resumed() {
            self.start(task, None);
        }
    }

    /// All days, from the oldest to today, once.
    async fn pass(&self) -> Result<Option<End>, Error> {
        let mut next = self.days.oldest();
        while let Some(date) = next {
            if let Some(why) = self.day(date).await? {
                return Ok(Some(End::NotHere(why)));
            }
            next = date.tomorrow().ok().filter(|date| *date <= today());
            if let Some(date) = next {
                self.days.add(date);
            }
        }
        Ok(None)
    }

    /// Lists a day, and waits until what it has is read, or stuck. Some: the server cannot do it.
    async fn day(&self, date: Date) -> Result<Option<String>, Error> {
        let mut backoff = Backoff::new(self.reader.config.timing.retry);
        loop {
            let failure = match self.list(date).await {
                Ok(()) => break,
                Err(failure) => failure,
            };
            let wait = backoff.next();
            let last = backoff.failures() >= STUCK;
            match failure {
                // One of several auth servers may be older; all of them are not.
                Failure::Unimplemented { message, .. } if last || !self.days.ever_listed() => {
                    return Ok(Some(message));
                }
                failure if last && self.reader.config.exit_on_last_event => {
                    return Err(failure.into());
                }
                failure => self.reader.failed("GetEventExportChunks", &failure, wait),
            }
            sleep(wait).await;
        }
        self.days.settled(date).await;
        Ok(self.days.cannot_export())
    }

    async fn list(&self, date: Date) -> Result<(), Failure> {
        let mut chunks = self.reader.rpc.chunks(date).await?;
        let mut names = Vec::new();
        let listed = loop {
            match chunks.next().await {
                Ok(Some(chunk)) => names.push(chunk.chunk),
                Ok(None) => break Ok(()),
                // What was listed so far is read all the same.
                Err(failure) => break Err(failure),
            }
        };
        if listed.is_ok() {
            self.days.listed();
        }
        for name in names {
            if let Some(task) = self.days.open(date, &name, &self.reader.room) {
                // Waited for here: a day may have thousands of chunks.
                let slot = self.slots.clone().acquire_owned().await.ok();
                self.start(task, slot);
            }
        }
        listed
    }

    fn start(&self, task: Task, slot: Option<OwnedSemaphorePermit>) {
        let (reader, days, slots) = (self.reader.clone(), self.days.clone(), self.slots.clone());
        self.reader.spawn(chunk::read(reader, days, task, slot, slots));
    }

    /// Some storages answer with no chunks where they have events.
    async fn has_no_chunks(&self) -> Result<Option<String>, Error> {
        let Some(oldest) = self.days.oldest() else { return Ok(None) };
        let start = start_of(oldest).max(self.days.start());
        let Ok(end) = Timestamp::now().checked_sub(self.reader.config.timing.export_delay) else {
            return Ok(None);
        };
        if end <= start {
            return Ok(None);
        }
        match self.reader.rpc.search((start, end), Vec::new(), 1, "").await {
            Ok(page) if !page.items.is_empty() => {
                Ok(Some("it lists no chunks, but has events".to_owned()))
            }
            // It is only a question; a failure shows itself where it matters.
            _ => Ok(None),
        }
    }
}
