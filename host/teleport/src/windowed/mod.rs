//! Events page by page, in windows of time, one after another, the oldest first.
//!
//! The last window ends now. Its last page is asked for again and again, with a later end each time; of
//! what was on it before nothing goes out twice, in whatever order the page has it now.

mod seen;

use crate::backoff::Backoff;
use crate::error::Error;
use crate::event::Event;
use crate::marks::Marks;
use crate::reader::Reader;
use crate::state::{Changes, Position};
use crate::time::whole_seconds;
use jiff::Timestamp;
use seen::Seen;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::sleep;

/// Pages without anything new, one after another, before the server is given a rest.
const BARREN: u32 = 50;

/// How far the windows are.
#[derive(Debug)]
pub(crate) struct Windows {
    marks: Arc<Marks<Position>>,
    /// The window that was saved last.
    saved: Mutex<Option<Timestamp>>,
}

impl Windows {
    pub(crate) fn new(marks: Arc<Marks<Position>>, saved: Option<Timestamp>) -> Self {
        Self { marks, saved: Mutex::new(saved) }
    }

    pub(crate) fn changes(&self, changes: &mut Changes) {
        let Some(position) = self.marks.moved().and_then(|low| low.position) else { return };
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let is_another = saved.replace(position.window) != Some(position.window);
        changes.window(position, is_another);
    }
}

/// Reads on from a position, until the end of time, or until everything there is has been read if that
/// was asked for.
pub(crate) async fn run(reader: &Reader, windows: &Windows, from: Position) -> Result<(), Error> {
    let seen = Seen::new(reader.config.batch);
    let last = Some(from.id).filter(|id| !id.is_empty());
    let run =
        Run { reader, windows, seen, window: from.window, page: from.cursor, last, again: false };
    run.run().await
}

struct Run<'a> {
    reader: &'a Reader,
    windows: &'a Windows,
    seen: Seen,
    /// Where the window begins.
    window: Timestamp,
    /// The server's key of the page; empty for the first of the window.
    page: Arc<str>,
    /// After a start: the last event of the page that is done.
    last: Option<String>,
    /// The page is asked for again, since it was the last one.
    again: bool,
}

impl Run<'_> {
    async fn run(mut self) -> Result<(), Error> {
        let mut backoff = Backoff::new(self.reader.config.timing.retry);
        let mut barren = 0;
        loop {
            let (end, is_last) = self.end();
            let asked = self.reader.rpc.search(
                (self.window, end),
                self.types(),
                self.reader.config.batch,
                &self.page,
            );
            let page = match asked.await {
                Ok(page) => page,
                Err(failure) => {
                    let wait = backoff.next();
                    self.reader.failed("GetUnstructuredEvents", &failure, wait);
                    sleep(wait).await;
                    continue;
                }
            };
            backoff.reset();
            let Some(new) = self.bring(page.items.into_iter().map(Event::from).collect()).await
            else {
                return Ok(()); // nobody takes events any more
            };
            barren = if new == 0 { barren + 1 } else { 0 };
            self.again = false;
            if !page.last_key.is_empty() && *page.last_key != *self.page {
                self.page = page.last_key.into();
                // A server that only ever has another page is asked like one that has nothing.
                if barren >= BARREN {
                    sleep(self.reader.config.timeout).await;
                }
            } else if !is_last {
                self.window = end;
                self.page = "".into();
                self.windows.marks.skip(self.position(String::new()));
            } else if self.reader.config.exit_on_last_event {
                return Ok(());
            } else {
                (barren, self.again) = (0, true);
                sleep(self.reader.config.timeout).await;
            }
        }
    }

    /// Where the window ends, and whether more may still come to it. The last one may be a little longer
    /// than the others: events take a while to be found.
    fn end(&self) -> (Timestamp, bool) {
        let (config, now) = (&self.reader.config, Timestamp::now());
        let end = self.window.checked_add(config.window).unwrap_or(Timestamp::MAX);
        let end = whole_seconds(end);
        let settled = end.checked_add(config.timing.settle).unwrap_or(Timestamp::MAX);
        if settled <= now { (end, false) } else { (now.max(self.window), true) }
    }

    /// The types that the server is asked for.
    fn types(&self) -> Vec<String> {
        let mut types: Vec<_> = self.reader.config.types.iter().cloned().collect();
        types.sort_unstable();
        types
    }

    /// Sends on what is new of a page, and says how much that was. None: nobody takes events any more.
    async fn bring(&mut self, events: Vec<Event>) -> Option<usize> {
        let last = self.last.take();
        let done =
            events.iter().rposition(|event| last.as_ref().is_some_and(|id| event.id() == *id));
        let mut new = 0;
        for (index, event) in events.into_iter().enumerate() {
            let is_new = self.seen.insert(&event);
            if done.is_some_and(|done| index <= done) {
                continue;
            }
            if !is_new {
                self.reader.metrics.repeated.inc_by(u64::from(!self.again));
                continue;
            }
            new += 1;
            let position = self.position(event.id().into_owned());
            self.reader.outlet.bring(&event, position, &self.windows.marks).await.ok()?;
        }
        Some(new)
    }

    fn position(&self, id: String) -> Position {
        Position { window: self.window, cursor: self.page.clone(), id }
    }
}
