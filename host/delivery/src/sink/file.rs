//! Events as lines of a file (NDJSON).

pub use host_lines::Rotation;

use super::{Delivering, Failure, Limits, Sink, json};
use crate::event::Event;
use host_lines::Rotating;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The keys of `kind = "file"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// Whether an event has arrived when it is on disk, which a power failure does not take back.
    /// `false`: when the kernel has it, which survives the end of this program only. Default: true; a
    /// sync is for everything that has queued up while the one before it took its time.
    #[serde(default = "yes")]
    pub fsync: bool,
    /// When another file is begun: `{ bytes = 100000000, keep = 10 }`. Default: never.
    pub rotate: Option<Rotation>,
}

fn yes() -> bool {
    true
}

/// Appends events to a file, one JSON object a line. If somebody moves or deletes it another is begun.
pub struct File {
    file: Arc<Mutex<Rotating>>,
    fsync: bool,
}

impl File {
    /// Opens the file, or creates it. An error names it.
    pub fn open(config: &Config) -> Result<Self, String> {
        let Config { path, fsync, rotate } = config;
        let file = Rotating::open(path, rotate.unwrap_or(Rotation::NEVER));
        let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { file: Arc::new(Mutex::new(file)), fsync: *fsync })
    }
}

impl Sink for File {
    fn deliver<'a>(&'a self, events: &'a [Arc<Event>]) -> Delivering<'a> {
        let mut lines = Vec::new();
        json::lines(events, &mut lines);
        let (file, fsync) = (self.file.clone(), self.fsync);
        let written = tokio::task::spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let written = if fsync { file.append_synced(&lines) } else { file.append(&lines) };
            written.map_err(|error| format!("{} cannot be written: {error}", file.path().display()))
        });
        Box::pin(async {
            let written = written.await.unwrap_or_else(|error| Err(error.to_string()));
            written.map_err(Failure::passing)
        })
    }

    fn limits(&self) -> Limits {
        Limits { connections: 1, events: 4096, bytes: 4 << 20 }
    }
}
