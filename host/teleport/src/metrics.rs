//! What is counted of the source, in Prometheus' terms.

use crate::time::Milliseconds;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

type Labels = [(&'static str, String); 1];

/// The metrics of a source. Clones are of the same source.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    events: Family<Labels, Counter>,
    retries: Family<Labels, Counter>,
    pub(crate) read: Counter,
    pub(crate) skipped: Counter,
    pub(crate) malformed: Counter,
    pub(crate) repeated: Counter,
    pub(crate) dropped: Counter,
    pub(crate) chunks_open: Gauge,
    pub(crate) chunks_done: Counter,
    pub(crate) recordings: Gauge,
    pub(crate) missing: Gauge,
    pub(crate) lost_recordings: Counter,
    pub(crate) state_errors: Counter,
    pub(crate) expires: Gauge,
    /// Of the newest event, in milliseconds; 0 while there is none.
    newest: Arc<AtomicI64>,
    /// When the server last answered a call, in milliseconds; 0 if it never did.
    answered: Arc<AtomicI64>,
}

/// How far a source is, for a line on a terminal or a health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Events read since the start, without those that were skipped.
    pub events: u64,
    /// Chunks of the bulk export that are being read, or wait to be.
    pub chunks_open: i64,
    /// Chunks that were read since the start.
    pub chunks_done: u64,
    /// Recordings that are being read, or wait to be.
    pub recordings: i64,
    /// Recordings that the server did not have, and that are asked for again.
    pub missing: i64,
    /// The time of the newest event.
    pub newest: Option<SystemTime>,
    /// When the server last answered a call.
    pub answered: Option<SystemTime>,
}

impl Metrics {
    /// Shows them in a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Events read from Teleport, by type";
        registry.register("tenon_teleport_events", help, self.events.clone());
        let help = "Events of Teleport that the configuration skips";
        registry.register("tenon_teleport_skipped", help, self.skipped.clone());
        let help = "Events of Teleport that could not be read, and went on as they came";
        registry.register("tenon_teleport_malformed", help, self.malformed.clone());
        let help = "Events that the server sent a second time, and that went nowhere";
        registry.register("tenon_teleport_repeated", help, self.repeated.clone());
        let help =
            "Events that were dropped before they were delivered, read again after a restart";
        registry.register("tenon_teleport_dropped", help, self.dropped.clone());
        let help = "Calls of the auth server that failed and are made again, by call";
        registry.register("tenon_teleport_retries", help, self.retries.clone());
        let help = "Chunks of the bulk export that are read or wait to be";
        registry.register("tenon_teleport_chunks_open", help, self.chunks_open.clone());
        let help = "Chunks of the bulk export that were read to their end";
        registry.register("tenon_teleport_chunks_done", help, self.chunks_done.clone());
        let help = "Recordings of sessions that are read or wait to be";
        registry.register("tenon_teleport_session_backlog", help, self.recordings.clone());
        let help = "Recordings of sessions that the server does not have yet";
        registry.register("tenon_teleport_missing_recordings", help, self.missing.clone());
        let help = "Recordings of sessions that were given up";
        registry.register("tenon_teleport_lost_recordings", help, self.lost_recordings.clone());
        let help = "Attempts to save the state that failed";
        registry.register("tenon_teleport_state_errors", help, self.state_errors.clone());
        let help = "When the certificate for the auth server expires, in seconds since 1970";
        registry.register("tenon_teleport_certificate_expires", help, self.expires.clone());
        registry.register_collector(Box::new(Times(self.clone())));
    }

    /// Now minus the time of the newest event; none while there is no event.
    pub fn lag(&self) -> Option<Duration> {
        let newest = self.progress().newest?;
        Some(SystemTime::now().duration_since(newest).unwrap_or_default())
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let time = |of: &AtomicI64| match of.load(Ordering::Relaxed) {
            0 => None,
            milliseconds => Some(Milliseconds(milliseconds).into()),
        };
        Progress {
            events: self.read.get(),
            chunks_open: self.chunks_open.get(),
            chunks_done: self.chunks_done.get(),
            recordings: self.recordings.get(),
            missing: self.missing.get(),
            newest: time(&self.newest),
            answered: time(&self.answered),
        }
    }

    /// The counter of a type of event, looked up once.
    pub(crate) fn events(&self, kind: &str) -> Counter {
        self.events.get_or_create_owned(&[("type", kind.to_owned())])
    }

    pub(crate) fn retry(&self, call: &str) {
        self.retries.get_or_create(&[("call", call.to_owned())]).inc();
    }

    pub(crate) fn event_of(&self, time: SystemTime) {
        self.newest.fetch_max(Milliseconds::from(time).0, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self) {
        self.answered.store(Milliseconds::from(SystemTime::now()).0, Ordering::Relaxed);
    }
}

/// What depends on the time at which it is looked at.
#[derive(Debug)]
struct Times(Metrics);

impl Collector for Times {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, help: &str, value: Option<Duration>| {
            let Some(value) = value else { return Ok(()) };
            let gauge = ConstGauge::new(value.as_secs_f64());
            let encoder = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(encoder)
        };
        let help = "Now minus the time of the newest event";
        gauge("tenon_teleport_lag_seconds", help, self.0.lag())?;
        let help = "Seconds since the auth server has last answered";
        let answered = self.0.progress().answered;
        let silence = answered.map(|it| SystemTime::now().duration_since(it).unwrap_or_default());
        gauge("tenon_teleport_silence_seconds", help, silence)
    }
}
