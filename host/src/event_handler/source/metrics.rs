//! What is counted of lines.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is counted of them. Clones count the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct LineMetrics {
    pub(super) events: Family<[(&'static str, String); 1], Counter>,
    pub(super) read: Counter,
    pub(super) malformed: Counter,
    /// In milliseconds since 1970; 0 while there is none.
    newest: Arc<AtomicU64>,
}

impl LineMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Events read from a file or the standard input, by type";
        registry.register("tenon_file_events", help, self.events.clone());
        let help = "Lines that are no JSON object, and went nowhere";
        registry.register("tenon_file_malformed", help, self.malformed.clone());
    }

    pub(crate) fn events(&self) -> u64 {
        self.read.get()
    }

    pub(super) fn event_of(&self, time: SystemTime) {
        if let Ok(since) = time.duration_since(UNIX_EPOCH) {
            let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
            self.newest.fetch_max(milliseconds, Ordering::Relaxed);
        }
    }

    /// The time of the newest event.
    pub(crate) fn newest(&self) -> Option<SystemTime> {
        let newest = self.newest.load(Ordering::Relaxed);
        (newest > 0).then(|| UNIX_EPOCH + Duration::from_millis(newest))
    }
}
