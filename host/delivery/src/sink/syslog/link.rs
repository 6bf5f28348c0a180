//! A connection to a syslog server, and what was written to the one before it.

use crate::client::{Connector, Stream};
use crate::event::Event;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

/// A server that was there has read what was written so long before the connection broke.
const READ_BY_THEN: Duration = Duration::from_secs(10);

/// A connection, watched: a server only ever closes it.
pub(super) struct Link {
    writer: WriteHalf<Box<dyn Stream>>,
    broke: Arc<OnceLock<Instant>>,
    watch: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Link {
    pub(super) async fn open(connector: &Connector) -> io::Result<Self> {
        let (stream, _) = connector.connect().await?;
        let (reader, writer) = tokio::io::split(stream);
        let broke = Arc::new(OnceLock::new());
        let watch = tokio::spawn(watch(reader, broke.clone()));
        Ok(Self { writer, broke, watch })
    }

    /// When the server has closed it, or it broke.
    pub(super) fn broke(&self) -> Option<Instant> {
        self.broke.get().copied()
    }

    /// Returns when the kernel has taken all.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes).await?;
        self.writer.flush().await
    }
}

async fn watch(mut reader: ReadHalf<Box<dyn Stream>>, broke: Arc<OnceLock<Instant>>) {
    let mut unheard = [0; 256];
    while reader.read(&mut unheard).await.is_ok_and(|count| count > 0) {}
    let _ = broke.set(Instant::now());
}

/// The last messages, as long as they may have to be written again.
#[derive(Debug)]
pub(super) struct Written {
    most: usize,
    last: VecDeque<(Instant, Arc<Event>)>,
    again: Vec<Arc<Event>>,
}

impl Written {
    pub(super) fn new(most: usize) -> Self {
        Self { most, last: VecDeque::new(), again: Vec::new() }
    }

    /// What is to be written before anything else.
    pub(super) fn again(&self) -> &[Arc<Event>] {
        &self.again
    }

    /// What was to be written again, and these events after it, were written.
    pub(super) fn add(&mut self, events: &[Arc<Event>]) {
        let now = Instant::now();
        let again = std::mem::take(&mut self.again);
        self.last.extend(again.into_iter().map(|event| (now, event)));
        self.last.extend(events.iter().map(|event| (now, event.clone())));
        let old = |(at, _): &(Instant, _)| now.duration_since(*at) > READ_BY_THEN;
        while self.last.len() > self.most || self.last.front().is_some_and(old) {
            self.last.pop_front();
        }
    }

    /// The connection broke.
    pub(super) fn lost(&mut self, at: Instant) {
        let last = std::mem::take(&mut self.last);
        let unread =
            last.into_iter().filter(|(written, _)| at.duration_since(*written) <= READ_BY_THEN);
        self.again.extend(unread.map(|(_, event)| event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;

    fn uids(events: &[Arc<Event>]) -> Vec<&str> {
        events.iter().map(|event| event.uid()).collect()
    }

    #[test]
    fn the_last_ones_come_again_until_they_are_written() {
        let mut written = Written::new(2);
        let events = ["1", "2", "3"].map(|uid| event("e", uid, "{}"));
        written.add(&events);
        written.lost(Instant::now());
        assert_eq!(uids(written.again()), ["2", "3"]);
        written.lost(Instant::now() + READ_BY_THEN * 2); // it failed again, much later
        assert_eq!(uids(written.again()), ["2", "3"]);
        written.add(&[event("e", "4", "{}")]);
        assert!(written.again().is_empty());
        written.lost(Instant::now());
        assert_eq!(uids(written.again()), ["3", "4"]);
    }

    #[test]
    fn what_was_read_long_ago_does_not_come_again() {
        let mut written = Written::new(10);
        written.add(&[event("e", "1", "{}")]);
        written.lost(Instant::now() + READ_BY_THEN + Duration::from_secs(1));
        assert!(written.again().is_empty());
    }
}
