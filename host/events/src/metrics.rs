//! What is counted of events and plugins, in Prometheus' terms.

use host_times::{Spread, Times};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;

type Labels = [(&'static str, String); 1];
type Pair = [(&'static str, String); 2];

/// The metrics of all event plugins and of the pipeline.
#[derive(Clone)]
pub struct Metrics {
    events: Family<Pair, Counter>,
    discarded: Family<Labels, Counter>,
    alerts: Family<Pair, Counter>,
    seconds: Family<Labels, Histogram, Seconds>,
    pub(crate) received: Counter,
    pub(crate) delivered: Family<Labels, Counter>,
    pub(crate) lost: Family<Labels, Counter>,
}

/// From ten microseconds to two and a half seconds.
#[derive(Clone)]
struct Seconds;

impl MetricConstructor<Histogram> for Seconds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.000_01, 4.0, 10))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            events: Family::default(),
            discarded: Family::default(),
            alerts: Family::default(),
            seconds: Family::new_with_constructor(Seconds),
            received: Counter::default(),
            delivered: Family::default(),
            lost: Family::default(),
        }
    }
}

impl Metrics {
    /// Shows them in a registry.
    pub fn register(&self, registry: &mut Registry) {
        self.register_plugins(registry);
        let help = "Events that came into the pipeline";
        registry.register("tenon_events_received", help, self.received.clone());
        let help = "Events that a sink has taken";
        registry.register("tenon_events_delivered", help, self.delivered.clone());
        let help = "Events that a sink could not take, and that are lost to it";
        registry.register("tenon_events_lost", help, self.lost.clone());
    }

    /// Shows those of plugins, for who has no [`Pipeline`](crate::Pipeline).
    pub fn register_plugins(&self, registry: &mut Registry) {
        let help = "Events that an event plugin was asked about, by what became of them";
        registry.register("tenon_event_plugin_events", help, self.events.clone());
        let help = "Instances of an event plugin that were thrown away after a failure";
        registry.register("tenon_event_plugin_discarded", help, self.discarded.clone());
        let help = "Alerts of event plugins";
        registry.register("tenon_event_plugin_alerts", help, self.alerts.clone());
        let help = "How long a call of an event plugin took, without waiting for an instance or making one";
        registry.register("tenon_event_plugin_seconds", help, self.seconds.clone());
    }

    /// Those of one plugin.
    pub fn plugin(&self, name: &str) -> PluginMetrics {
        let plugin = || ("plugin", name.to_owned());
        let became = |what: &str| {
            let labels = [plugin(), ("became", what.to_owned())];
            self.events.get_or_create_owned(&labels)
        };
        PluginMetrics {
            kept: became("kept"),
            changed: became("changed"),
            skipped: became("skipped"),
            failed: became("failed"),
            unreadable: became("unreadable"),
            discarded: self.discarded.get_or_create_owned(&[plugin()]),
            seconds: Some(self.seconds.get_or_create_owned(&[plugin()])),
            times: Arc::default(),
            alerts: self.alerts.clone(),
            name: name.to_owned(),
        }
    }
}

/// The metrics of one plugin, looked up once.
#[derive(Clone, Default)]
pub struct PluginMetrics {
    pub(crate) kept: Counter,
    pub(crate) changed: Counter,
    pub(crate) skipped: Counter,
    pub(crate) failed: Counter,
    pub(crate) unreadable: Counter,
    discarded: Counter,
    seconds: Option<Histogram>,
    times: Arc<Times>,
    alerts: Family<Pair, Counter>,
    name: String,
}

/// What has become of events that a plugin was asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Left as they were.
    pub kept: u64,
    /// Changed.
    pub changed: u64,
    /// They go nowhere.
    pub skipped: u64,
    /// The plugin failed on them.
    pub failed: u64,
    /// Instances that were thrown away.
    pub discarded: u64,
    /// The median of a call's time, without waiting for an instance or making one: of this
    /// plugin as it was loaded, not of one of its name before; none before the first.
    pub p50: Option<Duration>,
    /// What 99 of 100 calls do not exceed, to an eighth.
    pub p99: Option<Duration>,
}

impl PluginMetrics {
    pub(crate) fn counts(&self) -> Counts {
        let mut times = Spread::default();
        times.add(&self.times);
        Counts {
            kept: self.kept.get(),
            changed: self.changed.get(),
            skipped: self.skipped.get(),
            failed: self.failed.get(),
            discarded: self.discarded.get(),
            p50: times.quantile(500),
            p99: times.quantile(990),
        }
    }

    pub(crate) fn discarded(&self) {
        self.discarded.inc();
    }

    pub(crate) fn alert(&self, severity: &str) {
        let labels = [("plugin", self.name.clone()), ("severity", severity.to_owned())];
        self.alerts.get_or_create(&labels).inc();
    }

    pub(crate) fn call_took(&self, time: Duration) {
        self.times.count(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        if let Some(seconds) = &self.seconds {
            seconds.observe(time.as_secs_f64());
        }
    }
}
