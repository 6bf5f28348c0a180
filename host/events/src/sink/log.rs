//! Events as lines of the log.

use super::{Delivery, Sink};
use crate::event::Event;
use std::sync::Arc;

/// Writes each event into the log, with the target `audit`.
#[derive(Debug)]
pub struct LogSink;

impl Sink for LogSink {
    fn name(&self) -> &'static str {
        "log"
    }

    fn deliver(&mut self, events: Arc<[Event]>) -> Delivery<'_> {
        for event in &*events {
            tracing::info!(target: "audit", "{}", String::from_utf8_lossy(event.json()));
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
