//! Events as lines of a file (NDJSON).

use super::{Delivery, Rotating, Rotation, Sink};
use crate::event::Event;
use host_lines::line;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Appends events to a file, one JSON object a line, and starts another when it has its size.
///
/// A line is written whole or not at all; what is written survives a crash of this program.
#[derive(Debug)]
pub struct FileSink(Arc<Mutex<Rotating>>);

impl FileSink {
    /// Opens the file, or creates it.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Rotating::open(path, rotation)?))))
    }
}

impl Sink for FileSink {
    fn name(&self) -> &'static str {
        "file"
    }

    fn deliver(&mut self, events: Arc<[Event]>) -> Delivery<'_> {
        let file = self.0.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut lines = Vec::new();
            for event in &*events {
                line(event.json(), &mut lines);
            }
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.append(&lines).map_err(|error| {
                let path = file.path().display();
                io::Error::new(error.kind(), format!("{path} cannot be written: {error}"))
            })
        });
        Box::pin(async { written.await.unwrap_or_else(|error| Err(io::Error::other(error))) })
    }
}
