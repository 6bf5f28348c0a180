//! Metric handles: registered once, then a call of a few nanoseconds each time.

use super::HostServices;
use crate::error::Result;
use abi_stable::StableAbi;
use abi_stable::sabi_types::RRef;
use abi_stable::std_types::{RSlice, RStr, RVec, Tuple2};

/// Which kind of metric. A newtype and not an enum, so that it may grow.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricKind(u8);

impl MetricKind {
    /// Only goes up.
    pub const COUNTER: Self = Self(0);
    /// Goes up and down.
    pub const GAUGE: Self = Self(1);
    /// The distribution of values.
    pub const HISTOGRAM: Self = Self(2);
}

/// The host's metric and how to tell it a value. Frozen within 1.x.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Metric {
    state: RRef<'static, ()>,
    record: extern "C" fn(state: RRef<'static, ()>, value: f64),
}

impl Metric {
    /// For the host.
    ///
    /// # Safety
    /// `record` must accept a `state` of this `T`, from any thread, and must not panic.
    pub unsafe fn new<T: Send + Sync>(
        state: &'static T,
        record: extern "C" fn(state: RRef<'static, ()>, value: f64),
    ) -> Self {
        // SAFETY: a reference without its type; only `record` looks behind it.
        Self { state: unsafe { RRef::new(state).transmute() }, record }
    }

    fn record(&self, value: f64) {
        (self.record)(self.state, value);
    }
}

/// A number that only goes up.
#[derive(Clone, Copy)]
pub struct Counter(Metric);

impl Counter {
    /// Adds `count`.
    #[allow(clippy::cast_precision_loss)] // counts beyond 2^53 at once there are not
    pub fn add(&self, count: u64) {
        self.0.record(count as f64);
    }
}

/// A number that goes up and down.
#[derive(Clone, Copy)]
pub struct Gauge(Metric);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: f64) {
        self.0.record(value);
    }
}

/// A distribution of values.
#[derive(Clone, Copy)]
pub struct Histogram(Metric);

impl Histogram {
    /// Counts `value` in: seconds, bytes, whatever the name says.
    pub fn observe(&self, value: f64) {
        self.0.record(value);
    }
}

/// Metrics. The host puts the plugin's name in a label; the same name and labels give the same
/// metric again.
impl HostServices {
    /// A counter. The name is of letters, digits and `_`, as Prometheus has it.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Counter> {
        self.metric(MetricKind::COUNTER, name, help, labels).map(Counter)
    }

    /// A gauge.
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Gauge> {
        self.metric(MetricKind::GAUGE, name, help, labels).map(Gauge)
    }

    /// A histogram, with the host's buckets for times in seconds.
    pub fn histogram(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Histogram> {
        self.metric(MetricKind::HISTOGRAM, name, help, labels).map(Histogram)
    }

    fn metric(
        &self,
        kind: MetricKind,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
    ) -> Result<Metric> {
        let pairs = labels.iter().map(|&(key, value)| Tuple2(RStr::from(key), RStr::from(value)));
        let labels: RVec<_> = pairs.collect();
        let labels = RSlice::from_slice(&labels);
        self.vtable.metric()(self.context, kind, name.into(), help.into(), labels).into_result()
    }
}
