//! Metrics: the proxy's own and those of plugins, in one Prometheus registry.

use crate::native::Isolation;
use crate::stage::{Ledger, Stage};
use plugin_interface::Error;
use plugin_interface::host::abi_stable::sabi_types::RRef;
use plugin_interface::host::{Metric, MetricKind};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many different metrics one process keeps for its plugins: a label with a user's input in it
/// would otherwise fill the memory.
const LIMIT: usize = 10_000;
/// What the names of the host's own metrics begin with: one name registered twice would make the
/// page invalid.
const OWN: &str = "tenon_";

type Labels = Vec<(String, String)>;
type FloatCounter = Counter<f64, AtomicU64>;
type FloatGauge = Gauge<f64, AtomicU64>;

/// All metrics of the process.
#[derive(Default)]
pub struct Metrics {
    inner: Mutex<Inner>,
    failures: Family<Labels, Counter>,
    locked: Counter,
    stages: Ledger,
}

#[derive(Default)]
struct Inner {
    registry: Registry,
    families: HashMap<String, AnyFamily>,
    /// What plugins hold, one for each name and labels.
    handles: HashMap<(String, Labels), &'static Handle>,
    /// What candidates hold, by their bounds as well.
    bounded: HashMap<(String, Labels, usize), &'static Bounded>,
}

enum AnyFamily {
    Counter(Family<Labels, FloatCounter>),
    Gauge(Family<Labels, FloatGauge>),
    Histogram(Family<Labels, Histogram, Seconds>),
}

#[derive(Clone, Debug)]
struct Seconds;

impl MetricConstructor<Histogram> for Seconds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.000_1, 4.0, 10))
    }
}

/// A metric as a plugin holds it. Leaked: the plugin may keep it for ever.
enum Handle {
    Counter(FloatCounter),
    Gauge(FloatGauge),
    Histogram(Histogram),
}

/// A metric as a candidate holds it: what it records counts once its bounds are lifted.
struct Bounded {
    handle: &'static Handle,
    bounds: Isolation,
}

impl Metrics {
    /// A registry with the proxy's own metrics.
    pub fn new() -> Self {
        let metrics = Self::default();
        metrics.register(|registry| {
            let help = "Calls of plugins that failed or panicked";
            registry.register("tenon_plugin_failures", help, metrics.failures.clone());
            let help = "Requests of locked users that were turned away";
            registry.register("tenon_locked_requests", help, metrics.locked.clone());
            registry.register_collector(Box::new(metrics.stages.clone()));
        });
        metrics
    }

    /// Registers metrics of others to be shown with these. `register` cannot use the metrics that
    /// it is called by: they wait for it.
    pub fn register(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.lock().registry);
    }

    /// Counts a failed call of a plugin.
    pub fn count_failure(&self, plugin: &str, panicked: bool) {
        let kind = if panicked { "panic" } else { "error" };
        let labels =
            vec![("plugin".to_owned(), plugin.to_owned()), ("kind".to_owned(), kind.to_owned())];
        self.failures.get_or_create(&labels).inc();
    }

    /// Shows what this plugin does, from now on.
    pub(crate) fn watch(&self, stage: &Stage) {
        self.stages.watch(stage);
    }

    /// Counts a request of a locked user.
    pub(crate) fn count_locked(&self) {
        self.locked.inc();
    }

    /// Everything in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Fails only if the writer does, and a String does not.
        let _ = encode(&mut text, &self.lock().registry);
        text
    }

    /// A metric for a plugin, in its bounds if it is a candidate; the same one for the same name and
    /// labels.
    pub(crate) fn for_plugin<'a>(
        &self,
        plugin: &str,
        bounds: Option<&Isolation>,
        kind: MetricKind,
        name: &str,
        help: &str,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Metric, Error> {
        // The encoder puts the suffix of a counter there itself, and the full stop of the help. A
        // line break in the help would begin a line of another meaning.
        let name = name.strip_suffix("_total").unwrap_or(name);
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let help = help.trim_end_matches('.');
        let mut all: Labels = vec![("plugin".to_owned(), plugin.to_owned())];
        all.extend(labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
        if let Some(bad) =
            std::iter::once(name).chain(all.iter().map(|(key, _)| &**key)).find(|it| !valid(it))
        {
            return Err(Error::new(format_args!(
                "{bad:?} cannot be the name of a metric or label: letters, digits and _ only"
            )));
        }
        if name.starts_with(OWN) {
            return Err(Error::new(format_args!("{name}: names with {OWN} are the host's own")));
        }
        let mut inner = self.lock();
        let inner = &mut *inner;
        let key = (name.to_owned(), all);
        let handle = match inner.handles.get(&key) {
            Some(handle) if handle.kind() == kind => *handle,
            Some(_) => return Err(other_kind(name)),
            None => {
                inner.has_room()?;
                let handle = inner.create(kind, name, help, &key.1)?;
                let handle: &'static Handle = Box::leak(Box::new(handle));
                inner.handles.insert(key.clone(), handle);
                handle
            }
        };
        let Some(bounds) = bounds else { return Ok(handle.lend()) };
        let key = (key.0, key.1, bounds.address());
        if !inner.bounded.contains_key(&key) {
            inner.has_room()?;
        }
        let bounded = inner
            .bounded
            .entry(key)
            .or_insert_with(|| Box::leak(Box::new(Bounded { handle, bounds: bounds.clone() })));
        Ok(bounded.lend())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn has_room(&self) -> Result<(), Error> {
        if self.handles.len() + self.bounded.len() >= LIMIT {
            return Err(Error::new(format_args!("there are {LIMIT} metrics of plugins already")));
        }
        Ok(())
    }

    fn create(
        &mut self,
        kind: MetricKind,
        name: &str,
        help: &str,
        labels: &Labels,
    ) -> Result<Handle, Error> {
        if !self.families.contains_key(name) {
            let family = match kind {
                MetricKind::COUNTER => {
                    let family = Family::default();
                    self.registry.register(name, help, family.clone());
                    AnyFamily::Counter(family)
                }
                MetricKind::GAUGE => {
                    let family = Family::default();
                    self.registry.register(name, help, family.clone());
                    AnyFamily::Gauge(family)
                }
                MetricKind::HISTOGRAM => {
                    let family = Family::new_with_constructor(Seconds);
                    self.registry.register(name, help, family.clone());
                    AnyFamily::Histogram(family)
                }
                _ => return Err(Error::new("this host does not know that kind of metric")),
            };
            self.families.insert(name.to_owned(), family);
        }
        match (self.families.get(name), kind) {
            (Some(AnyFamily::Counter(family)), MetricKind::COUNTER) => {
                Ok(Handle::Counter(family.get_or_create(labels).clone()))
            }
            (Some(AnyFamily::Gauge(family)), MetricKind::GAUGE) => {
                Ok(Handle::Gauge(family.get_or_create(labels).clone()))
            }
            (Some(AnyFamily::Histogram(family)), MetricKind::HISTOGRAM) => {
                Ok(Handle::Histogram(family.get_or_create(labels).clone()))
            }
            _ => Err(other_kind(name)),
        }
    }
}

impl Handle {
    fn kind(&self) -> MetricKind {
        match self {
            Self::Counter(_) => MetricKind::COUNTER,
            Self::Gauge(_) => MetricKind::GAUGE,
            Self::Histogram(_) => MetricKind::HISTOGRAM,
        }
    }

    fn record(&self, value: f64) {
        match self {
            // A counter that goes down, or to NaN, is none.
            Self::Counter(counter) if value > 0.0 => drop(counter.inc_by(value)),
            Self::Counter(_) => {}
            Self::Gauge(gauge) => drop(gauge.set(value)),
            Self::Histogram(histogram) => histogram.observe(value),
        }
    }

    fn lend(&'static self) -> Metric {
        #[allow(unsafe_code)]
        // SAFETY: `record` takes the state for a `Handle`, from any thread, and does not panic.
        unsafe {
            Metric::new(self, record)
        }
    }
}

impl Bounded {
    fn lend(&'static self) -> Metric {
        #[allow(unsafe_code)]
        // SAFETY: `record_bounded` takes the state for a `Bounded`, from any thread, and does not
        // panic.
        unsafe {
            Metric::new(self, record_bounded)
        }
    }
}

extern "C" fn record(state: RRef<'static, ()>, value: f64) {
    #[allow(unsafe_code)]
    // SAFETY: the state is the `Handle` of `Handle::lend`, which is never freed.
    let handle: &Handle = unsafe { state.transmute_into_ref() };
    handle.record(value);
}

extern "C" fn record_bounded(state: RRef<'static, ()>, value: f64) {
    #[allow(unsafe_code)]
    // SAFETY: the state is the `Bounded` of `Bounded::lend`, which is never freed.
    let bounded: &Bounded = unsafe { state.transmute_into_ref() };
    if !bounded.bounds.holds() {
        bounded.handle.record(value);
    }
}

fn valid(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn other_kind(name: &str) -> Error {
    Error::new(format_args!("there is a metric {name} of another kind already"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_share_a_registry_and_names_are_checked() {
        let metrics = Metrics::new();
        let get = |kind, name: &str, label| {
            metrics.for_plugin("p", None, kind, name, "what\n# it is.", [("by", label)].into_iter())
        };
        assert!(get(MetricKind::COUNTER, "hits_total", "a").is_ok());
        assert!(get(MetricKind::COUNTER, "hits_total", "a").is_ok());
        assert!(get(MetricKind::HISTOGRAM, "seconds", "a").is_ok());
        let error = get(MetricKind::GAUGE, "hits", "b").err().unwrap();
        assert_eq!(error.message(), "there is a metric hits of another kind already");
        assert!(get(MetricKind::GAUGE, "9 lives", "b").is_err());
        assert!(get(MetricKind::COUNTER, "tenon_plugin_failures_total", "a").is_err());
        metrics.count_failure("p", true);
        let text = metrics.encode();
        assert!(text.contains("# HELP hits what # it is.\n"), "{text}");
        assert!(text.contains("hits_total{plugin=\"p\",by=\"a\"} 0"), "{text}");
        assert!(text.contains("tenon_plugin_failures_total{plugin=\"p\",kind=\"panic\"} 1"));
    }
}
