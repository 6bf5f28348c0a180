//! Events from a file, or the standard input: one JSON object a line.

use super::Incoming;
use super::cursor::Cursor;
use super::marks::Marks;
use super::metrics::LineMetrics;
use super::reader::Reader;
use anyhow::{Context, Result};
use host_proxy::native::sha256;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

const SAVE: Duration = Duration::from_millis(500);
/// How long the last events have to arrive when it is told to end.
const DRAIN: Duration = Duration::from_secs(10);

/// What to read.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// None: the standard input.
    path: Option<PathBuf>,
    in_flight: u32,
    pub(super) types: HashSet<String>,
    pub(super) skip: HashSet<String>,
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
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        format!("file_{name}_{hash}")
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
                _ = ticks.tick() => try_to_save(cursor.as_mut(), &marks),
            }
        };
        drop(out);
        loop {
            tokio::select! {
                () = marks.empty() => break,
                () = stop.cancelled() => break marks.drained(DRAIN).await,
                _ = ticks.tick() => try_to_save(cursor.as_mut(), &marks),
            }
        }
        // Logged, too: what else has ended it comes first.
        let saved = save(cursor.as_mut(), &marks);
        let saved = saved.inspect_err(|error| tracing::error!("{error:#}"));
        ended.and(saved)
    }
}

fn save(cursor: Option<&mut Cursor>, marks: &Marks) -> Result<()> {
    let Some(cursor) = cursor else { return Ok(()) };
    // A few bytes twice a second.
    tokio::task::block_in_place(|| cursor.save(marks.low()))
}

/// The same while it goes on: the next one may be possible.
fn try_to_save(cursor: Option<&mut Cursor>, marks: &Marks) {
    if let Err(error) = save(cursor, marks) {
        tracing::error!("{error:#}");
    }
}
