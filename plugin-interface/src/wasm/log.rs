//! `tracing` and `log` of a module, as lines of the host's log. Spans are not shown: a module has no
//! others around it.

use super::imports;
use extism_pdk::LogLevel;
use std::fmt::{self, Write};
use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Level, LevelFilter, Metadata, Subscriber, span};

/// Sends what the module logs to the host, from now on.
pub(super) fn install() {
    let (tracing, log) = match imports::log_level() {
        0 => (LevelFilter::TRACE, log::LevelFilter::Trace),
        1 => (LevelFilter::DEBUG, log::LevelFilter::Debug),
        2 => (LevelFilter::INFO, log::LevelFilter::Info),
        3 => (LevelFilter::WARN, log::LevelFilter::Warn),
        4 => (LevelFilter::ERROR, log::LevelFilter::Error),
        _ => (LevelFilter::OFF, log::LevelFilter::Off),
    };
    // Fails only if the author has set others: his wish.
    let _ = tracing_core::dispatcher::set_global_default(Lines(tracing).into());
    let _ = log::set_logger(&Records);
    log::set_max_level(log);
}

/// Takes the events that the host wants.
struct Lines(LevelFilter);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.0
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let level = match *event.metadata().level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG => LogLevel::Debug,
            Level::TRACE => LogLevel::Trace,
        };
        imports::log(level, &format!("{}{}", line.message, line.fields));
    }

    // No span is enabled.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// `message field=value field="text"`.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

struct Records;

impl log::Log for Records {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error => LogLevel::Error,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Info => LogLevel::Info,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Trace => LogLevel::Trace,
        };
        imports::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}
