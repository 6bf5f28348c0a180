//! What is counted of sinks, in Prometheus' terms.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

type Labels = [(&'static str, String); 1];

/// The metrics of all sinks.
#[derive(Clone, Default)]
pub struct Metrics {
    delivered: Family<Labels, Counter>,
    retried: Family<Labels, Counter>,
    duplicates: Family<Labels, Counter>,
    dead_letters: Family<Labels, Counter>,
    waiting: Family<Labels, Gauge>,
    last_success: Family<Labels, Gauge<f64, AtomicU64>>,
}

impl Metrics {
    /// Shows them in a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Events that a sink has acknowledged";
        registry.register("tenon_sink_delivered", help, self.delivered.clone());
        let help = "Deliveries to a sink that failed and are tried again";
        registry.register("tenon_sink_retries", help, self.retried.clone());
        let help = "Events that a sink had already, and was not given again";
        registry.register("tenon_sink_duplicates", help, self.duplicates.clone());
        let help = "Events that a sink has refused for good";
        registry.register("tenon_sink_dead_letters", help, self.dead_letters.clone());
        let help = "Events on their way to a sink, not acknowledged yet";
        registry.register("tenon_sink_waiting", help, self.waiting.clone());
        let help = "When a sink last took events, in seconds since 1970";
        registry.register("tenon_sink_last_success_seconds", help, self.last_success.clone());
    }

    /// Those of one sink.
    pub(crate) fn sink(&self, name: &str) -> SinkMetrics {
        let labels = [("sink", name.to_owned())];
        SinkMetrics {
            delivered: self.delivered.get_or_create_owned(&labels),
            retried: self.retried.get_or_create_owned(&labels),
            duplicates: self.duplicates.get_or_create_owned(&labels),
            dead_letters: self.dead_letters.get_or_create_owned(&labels),
            waiting: self.waiting.get_or_create_owned(&labels),
            last_success: self.last_success.get_or_create_owned(&labels),
        }
    }
}

/// The metrics of one sink, looked up once.
#[derive(Clone)]
pub(crate) struct SinkMetrics {
    pub(crate) delivered: Counter,
    pub(crate) retried: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) dead_letters: Counter,
    pub(crate) waiting: Gauge,
    last_success: Gauge<f64, AtomicU64>,
}

impl SinkMetrics {
    pub(crate) fn succeeded(&self, events: usize) {
        self.delivered.inc_by(events as u64);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.last_success.set(now.as_secs_f64());
    }
}
