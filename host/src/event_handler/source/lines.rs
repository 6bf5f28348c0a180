//! Events from a file, or the standard input: one JSON object a line.

use super::cursor::Cursor;
use super::head::Head;
use super::marks::Marks;
use super::{Done, Incoming};
use anyhow::{Context, Result};
use bytes::Bytes;
use host_proxy::native::sha256;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

/// No event is so long; what is gets no place in memory.
const LONGEST: u64 = 16 << 20;
/// Types that have a counter of their own.
const KINDS: usize = 2000;
const SAVE: Duration = Duration::from_millis(500);
/// How long the last events have to arrive when it is told to end.
const DRAIN: Duration = Duration::from_secs(10);

/// What to read.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// None: the standard input.
    path: Option<PathBuf>,
    in_flight: u32,
    types: HashSet<String>,
    skip: HashSet<String>,
}

impl Lines {
    /// Of a file, or of `-`.
    pub(crate) fn new(text: &str, in_flight: u32) -> Self {
        let path = (text != "-").then(|| PathBuf::from(text));
        Self { path, in_flight, types: HashSet::new(), skip: HashSet::new() }
    }

    /// Only events of these types, if there are any, and none of those.
    pub(crate) fn choose(self, types: HashSet<String>, skip: HashSet<String>) -> Self {
        Self { types, skip, ..self }
    }

    /// The name of the folder for its state: that of the file, and a hash of where it is.
    pub(crate) fn folder(&self) -> String {
        let Some(path) = &self.path else { return "stdin".to_owned() };
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let hash: String =
            sha256(absolute.as_os_str().as_encoded_bytes()).chars().take(12).collect();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name: String = name.chars().filter(|it| it.is_ascii_alphanumeric()).take(40).collect();
        format!("file_{name}_{hash}")
    }
}

/// What is counted of them. Clones count the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct LineMetrics {
    events: Family<[(&'static str, String); 1], Counter>,
    read: Counter,
    malformed: Counter,
    /// In milliseconds since 1970; 0 while there is none.
    newest: Arc<AtomicU64>,
}

impl LineMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Events read from a file or the standard input, by type";
        registry.register("tenon_file_events", help, self.events.clone());
        let help = "Lines that are no JSON object, and went nowhere";
        registry.register("tenon_file_malformed", help, self.malformed.clone());
    }

    pub(crate) fn events(&self) -> u64 {
        self.read.get()
    }

    /// The time of the newest event.
    pub(crate) fn newest(&self) -> Option<SystemTime> {
        let newest = self.newest.load(Ordering::Relaxed);
        (newest > 0).then(|| UNIX_EPOCH + Duration::from_millis(newest))
    }
}

/// The lines, opened.
pub(crate) struct LineSource {
    lines: Lines,
    input: Box<dyn Read + Send>,
    cursor: Option<Cursor>,
    metrics: LineMetrics,
}

impl LineSource {
    /// Opens the file, and goes to where it was read up to, if there is a folder for that.
    pub(crate) fn open(lines: Lines, state: Option<&Path>) -> Result<Self> {
        let Some(path) = lines.path.clone() else {
            let input = Box::new(io::stdin());
            return Ok(Self { lines, input, cursor: None, metrics: LineMetrics::default() });
        };
        let mut file = File::open(&path)
            .with_context(|| format!("--source {} cannot be read", path.display()))?;
        // A pipe is read once.
        let state = if file.metadata()?.is_file() { state } else { None };
        let cursor = state.map(|state| Cursor::open(state, &mut file, &path)).transpose()?;
        Ok(Self { lines, input: Box::new(file), cursor, metrics: LineMetrics::default() })
    }

    pub(crate) fn metrics(&self) -> LineMetrics {
        self.metrics.clone()
    }

    /// Sends on what is there, then waits until it has arrived. When it is told to stop it reads no more
    /// and waits for a while only.
    pub(crate) async fn run(self, out: Sender<Incoming>, stop: CancellationToken) -> Result<()> {
        let Self { lines, input, mut cursor, metrics } = self;
        let begin = cursor.as_ref().map_or(0, Cursor::offset);
        let marks = Marks::new(begin, lines.in_flight);
        let reader = Reader {
            name: lines
                .path
                .as_ref()
                .map_or("the standard input".into(), |it| it.display().to_string()),
            marks: marks.clone(),
            stop: stop.clone(),
            metrics,
            kinds: HashMap::new(),
            lines,
            out: out.clone(),
        };
        let mut reading = tokio::task::spawn_blocking(move || reader.read(input, begin));
        let mut ticks = tokio::time::interval(SAVE);
        let ended = loop {
            tokio::select! {
                ended = &mut reading => break ended.context("reading has ended").flatten(),
                // The standard input may block for ever.
                () = stop.cancelled() => break Ok(()),
                () = out.closed() => break Ok(()),
                _ = ticks.tick() => save(cursor.as_mut(), &marks).await,
            }
        };
        drop(out);
        loop {
            tokio::select! {
                () = marks.empty() => break,
                () = stop.cancelled() => break marks.drained(DRAIN).await,
                _ = ticks.tick() => save(cursor.as_mut(), &marks).await,
            }
        }
        save(cursor.as_mut(), &marks).await;
        ended
    }
}

async fn save(cursor: Option<&mut Cursor>, marks: &Marks) {
    let Some(cursor) = cursor else { return };
    // A few bytes twice a second.
    if let Err(error) = tokio::task::block_in_place(|| cursor.save(marks.low())) {
        tracing::error!("{error:#}");
    }
}

/// Reads on a thread of its own.
struct Reader {
    name: String,
    lines: Lines,
    marks: Arc<Marks>,
    out: Sender<Incoming>,
    stop: CancellationToken,
    metrics: LineMetrics,
    kinds: HashMap<Arc<str>, Counter>,
}

impl Reader {
    fn read(mut self, input: Box<dyn Read + Send>, begin: u64) -> Result<()> {
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
        if let Some(since) = head.time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()) {
            let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
            self.metrics.newest.fetch_max(milliseconds, Ordering::Relaxed);
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
