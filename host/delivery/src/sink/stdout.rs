//! Events as lines of standard output.

use super::{Delivering, Failure, Limits, Sink, json};
use crate::event::Event;
use serde::Deserialize;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Nothing is to be configured.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// Writes events as lines, one JSON object each. An event has arrived when the kernel has it.
pub struct Lines {
    writer: Arc<Mutex<dyn Write + Send>>,
}

impl Lines {
    /// To standard output.
    pub fn stdout() -> Self {
        Self::to(io::stdout())
    }

    /// To something else. It may block.
    pub fn to(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Arc::new(Mutex::new(writer)) }
    }
}

impl Sink for Lines {
    fn deliver<'a>(&'a self, events: &'a [Arc<Event>]) -> Delivering<'a> {
        let mut lines = Vec::new();
        json::lines(events, &mut lines);
        let writer = self.writer.clone();
        // Whoever reads the other end of a pipe may be slow.
        let written = tokio::task::spawn_blocking(move || {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.write_all(&lines)?;
            writer.flush()
        });
        Box::pin(async move {
            let written = written.await.unwrap_or_else(|error| Err(io::Error::other(error)));
            written.map_err(|error| Failure::passing(format!("it cannot be written: {error}")))
        })
    }

    fn limits(&self) -> Limits {
        Limits { connections: 1, events: 1024, bytes: 1 << 20 }
    }
}
