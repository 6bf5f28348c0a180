//! Reads lines, and sends on those that are events.

use super::head::Head;
use super::lines::Lines;
use super::marks::Marks;
use super::metrics::LineMetrics;
use super::{Done, Incoming};
use anyhow::{Context, Result};
use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

/// No event is so long; what is gets no place in memory.
const LONGEST: u64 = 16 << 20;
/// Types that have a counter of their own.
const KINDS: usize = 2000;

/// Reads on a thread of its own.
pub(super) struct Reader {
    pub(super) name: String,
    pub(super) lines: Lines,
    pub(super) marks: Arc<Marks>,
    pub(super) out: Sender<Incoming>,
    pub(super) stop: CancellationToken,
    pub(super) metrics: LineMetrics,
    pub(super) kinds: HashMap<Arc<str>, Counter>,
}

impl Reader {
    /// Reads to the end, or until it is told to stop. `begin` is where the input is in the file.
    pub(super) fn read(mut self, input: Box<dyn Read + Send>, begin: u64) -> Result<()> {
        let mut input = BufReader::with_capacity(256 << 10, input);
        let mut end = begin;
        while !self.stop.is_cancelled() {
            let mut line = Vec::new();
            let count = input.by_ref().take(LONGEST).read_until(b'\n', &mut line);
            let count = count.with_context(|| format!("{} cannot be read", self.name))?;
            if count == 0 {
                break;
            }
            let begin = end;
            end += count as u64;
            if line.last() != Some(&b'\n') && count as u64 == LONGEST {
                end += skip_line(&mut input)?;
                self.malformed(begin, &"it is longer than 16 MiB");
                self.marks.skip(end);
                continue;
            }
            let is_whole = line.last() == Some(&b'\n');
            line.truncate(line.trim_ascii_end().len());
            if line.trim_ascii_start().is_empty() {
                self.marks.skip(end);
                continue;
            }
            if !self.event(line.into(), begin, end, is_whole) {
                break;
            }
        }
        Ok(())
    }

    /// Says whether to go on.
    fn event(&mut self, json: Bytes, begin: u64, end: u64, is_whole: bool) -> bool {
        let head = match Head::of(&json) {
            Ok(head) => head,
            Err(error) if is_whole => {
                self.malformed(begin, &error);
                self.marks.skip(end);
                return true;
            }
            Err(_) => {
                tracing::warn!("{}: the last line is not whole yet and is left", self.name);
                return false;
            }
        };
        let (types, skip) = (&self.lines.types, &self.lines.skip);
        if (!types.is_empty() && !types.contains(&*head.kind)) || skip.contains(&*head.kind) {
            self.marks.skip(end);
            return true;
        }
        let kind = self.kind(&head.kind);
        self.metrics.read.inc();
        if let Some(time) = head.time {
            self.metrics.event_of(time);
        }
        let (uid, time) = (head.uid.into_owned(), head.time);
        let done = Handle::current().block_on(self.marks.push(end));
        let done = Done::Line(done);
        let event = Incoming { json, kind, uid, time, session: None, done };
        self.out.blocking_send(event).is_ok()
    }

    /// Counts an event of a type, and shares its name.
    fn kind(&mut self, name: &str) -> Arc<str> {
        if let Some((kind, counter)) = self.kinds.get_key_value(name) {
            counter.inc();
            return kind.clone();
        }
        let kind: Arc<str> = name.into();
        let label = if self.kinds.len() < KINDS { name } else { "other" };
        let counter = self.metrics.events.get_or_create_owned(&[("type", label.to_owned())]);
        counter.inc();
        if self.kinds.len() < KINDS {
            self.kinds.insert(kind.clone(), counter);
        }
        kind
    }

    fn malformed(&self, begin: u64, why: &dyn std::fmt::Display) {
        self.metrics.malformed.inc();
        tracing::error!(
            "{}: the line at byte {begin} is no JSON object and goes nowhere: {why}",
            self.name
        );
    }
}

/// Reads to the end of a line, and says how many bytes that was.
fn skip_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(buffer.len(), |end| end + 1);
        input.consume(count);
        skipped += count as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}
