//! Events as lines of a file (NDJSON).

use super::{Delivery, Rotating, Rotation, Sink};
use crate::event::Event;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Appends events to a file, one JSON object a line, and starts another when it has its size.
///
/// A line is written whole or not at all; what is written survives a crash of this program.
#[derive(Debug)]
pub struct FileSink {
    /// Away while it writes, on a thread that may block.
    file: Option<Rotating>,
    path: std::path::PathBuf,
    rotation: Rotation,
}

impl FileSink {
    /// Opens the file, or creates it.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let file = Some(Rotating::open(path, rotation)?);
        Ok(Self { file, path: path.to_owned(), rotation })
    }
}

impl Sink for FileSink {
    fn name(&self) -> &'static str {
        "file"
    }

    fn deliver(&mut self, events: Arc<[Event]>) -> Delivery<'_> {
        Box::pin(async move {
            let file = self.file.take();
            let (path, rotation) = (self.path.clone(), self.rotation);
            let written = tokio::task::spawn_blocking(move || {
                let mut file = match file {
                    Some(file) => file,
                    None => Rotating::open(&path, rotation)?,
                };
                let mut lines = Vec::new();
                for event in &*events {
                    line(event.json(), &mut lines);
                }
                // Opened anew the next time if it fails: somebody may have mended it.
                file.append(&lines).map(|()| file)
            });
            let written = written.await.unwrap_or_else(|error| Err(io::Error::other(error)));
            self.file = Some(written.map_err(|error| {
                let path = self.path.display();
                io::Error::new(error.kind(), format!("{path} cannot be written: {error}"))
            })?);
            Ok(())
        })
    }
}

/// Appends a line. JSON may have line breaks between its tokens, where a space does as well; in its
/// strings they are escaped.
fn line(json: &[u8], lines: &mut Vec<u8>) {
    lines.extend(json.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    lines.push(b'\n');
}
