//! Events as lines of a file (NDJSON).

use super::rotating::{Rotating, Rotation};
use super::{Delivering, Failure, Limits, Sink, line};
use crate::event::Event;
use serde::Deserialize;
use std::io;
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
    /// When another file is begun. Default: never.
    pub rotate: Option<Rotate>,
}

/// `rotate = { bytes = 100000000, keep = 10 }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// When it has so many bytes.
    pub bytes: u64,
    /// So many old ones are kept, and older ones deleted.
    pub keep: u32,
}

fn yes() -> bool {
    true
}

/// Appends events to a file, one JSON object a line. If somebody moves or deletes it another is begun.
pub struct File {
    config: Config,
    /// None after a failure: somebody may have mended it when it is opened the next time.
    file: Arc<Mutex<Option<Rotating>>>,
}

impl File {
    /// Opens the file, or creates it. An error names it.
    pub fn open(config: Config) -> Result<Self, String> {
        let file = config.open().map_err(|error| format!("{}: {error}", config.path.display()))?;
        Ok(Self { config, file: Arc::new(Mutex::new(Some(file))) })
    }
}

impl Config {
    fn open(&self) -> io::Result<Rotating> {
        let never = Rotate { bytes: u64::MAX, keep: 0 };
        let Rotate { bytes, keep } = self.rotate.unwrap_or(never);
        Rotating::open(&self.path, Rotation { bytes, keep })
    }

    fn append(&self, file: &mut Option<Rotating>, lines: &[u8]) -> io::Result<()> {
        let mut opened = match file.take().filter(Rotating::is_in_place) {
            Some(file) => file,
            None => self.open()?,
        };
        opened.append(lines)?;
        if self.fsync {
            opened.sync()?;
        }
        *file = Some(opened);
        Ok(())
    }
}

impl Sink for File {
    fn deliver<'a>(&'a self, events: &'a [Arc<Event>]) -> Delivering<'a> {
        let mut lines = Vec::new();
        for event in events {
            line(event.json(), &mut lines);
        }
        let (config, file) = (self.config.clone(), self.file.clone());
        let written = tokio::task::spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            config.append(&mut file, &lines)
        });
        Box::pin(async move {
            let written = written.await.unwrap_or_else(|error| Err(io::Error::other(error)));
            written.map_err(|error| {
                let path = self.config.path.display();
                Failure::passing(format!("{path} cannot be written: {error}"))
            })
        })
    }

    fn limits(&self) -> Limits {
        Limits { connections: 1, events: 4096, bytes: 4 << 20 }
    }
}
