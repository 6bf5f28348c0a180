//! What a plugin logs while it is tested.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;

/// So many lines of one test are kept: a plugin may log without end until its time is up.
const LINES: usize = 1000;

/// The lines since they were last taken.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    kept: Vec<String>,
    lost: usize,
}

impl Log {
    /// Collects from now on what plugins log, at any level, and what the host warns of.
    pub(super) fn start() -> Self {
        let log = Self::default();
        let targets = Targets::new()
            .with_target("guest", LevelFilter::TRACE)
            .with_target("host_events", LevelFilter::WARN);
        let layer = log.clone().with_filter(targets);
        // Fails only if there is one already, and then nothing is collected.
        let _ = tracing_subscriber::registry().with(layer).try_init();
        log
    }

    /// The lines so far.
    pub(super) fn take(&self) -> Vec<String> {
        let Lines { mut kept, lost } = std::mem::take(&mut *self.lines());
        if lost > 0 {
            kept.push(format!("… and {lost} lines more"));
        }
        kept
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut record = Record::default();
        event.record(&mut record);
        let Record { message, fields } = record;
        let line = format!("{:<6} {message}{fields}", event.metadata().level().as_str());
        let mut lines = self.lines();
        if lines.kept.len() < LINES {
            lines.kept.push(line);
        } else {
            lines.lost += 1;
        }
    }
}

/// The text of a record and what belongs to it; which plugin it is from is known.
#[derive(Default)]
struct Record {
    message: String,
    fields: String,
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "plugin" => Ok(()),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
