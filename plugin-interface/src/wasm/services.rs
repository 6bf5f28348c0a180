//! What the host lends to a module. The store is asked at once; metrics and events travel with the
//! answer of the call, so those of a call that fails are not counted.

use super::contract::{Measurement, Metric, MetricKind};
use super::imports;
use crate::error::Result;
use serde_json::value::RawValue;
use std::cell::RefCell;
use std::time::Duration;

/// The host's side of a module: the part of it that a sandbox gets.
#[derive(Clone, Copy)]
pub struct HostServices(());

/// What a call has to report; a module runs on one thread.
#[derive(Default)]
struct Reports {
    /// One for each name and labels, for as long as the instance lives.
    metrics: Vec<&'static Metric>,
    measurements: Vec<Measurement>,
    events: Vec<Box<RawValue>>,
}

thread_local! {
    static REPORTS: RefCell<Reports> = RefCell::default();
}

/// Takes what has been reported since the last time.
pub(super) fn take_reports() -> (Vec<Measurement>, Vec<Box<RawValue>>) {
    REPORTS.with_borrow_mut(|reports| {
        (std::mem::take(&mut reports.measurements), std::mem::take(&mut reports.events))
    })
}

impl HostServices {
    pub(super) fn new() -> Self {
        Self(())
    }

    /// Reports an audit event: a JSON object. Under overload the host may drop it, and counts what it
    /// drops.
    pub fn emit(&self, event: &str) -> Result<()> {
        let event = RawValue::from_string(event.to_owned())?;
        REPORTS.with_borrow_mut(|reports| reports.events.push(event));
        Ok(())
    }
}

/// The store. Keys and scopes are the plugin's own: no other plugin sees them. Times are whole
/// seconds, rounded up. If the host has no room, the call ends, and with it the request.
impl HostServices {
    /// The value of a key, unless there is none or it has expired.
    pub fn store_get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        imports::value(key)
    }

    /// Sets a key; with a time to live it expires by itself.
    pub fn store_set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<()> {
        imports::set_value(key, value, ttl.map_or(0, seconds))
    }

    /// Removes a key; says whether it was there.
    pub fn store_delete(&self, key: &str) -> Result<bool> {
        let there = imports::value(key)?.is_some();
        imports::delete_value(key)?;
        Ok(there)
    }

    /// Adds a token to a scope and says how many of it are alive, the new one included. Each
    /// expires by itself: so one counts what happened within a time.
    pub fn take_token(&self, scope: &str, ttl: Duration) -> Result<u64> {
        imports::take_token(scope, seconds(ttl))
    }

    /// Drops a scope's tokens; says how many there were.
    pub fn release_tokens(&self, scope: &str) -> Result<u64> {
        imports::release_tokens(scope)
    }
}

fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// A number that only goes up.
#[derive(Clone, Copy)]
pub struct Counter(&'static Metric);

impl Counter {
    /// Adds `count`.
    #[allow(clippy::cast_precision_loss)] // counts beyond 2^53 at once there are not
    pub fn add(&self, count: u64) {
        record(self.0, count as f64);
    }
}

/// A number that goes up and down.
#[derive(Clone, Copy)]
pub struct Gauge(&'static Metric);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: f64) {
        record(self.0, value);
    }
}

/// A distribution of values.
#[derive(Clone, Copy)]
pub struct Histogram(&'static Metric);

impl Histogram {
    /// Counts `value` in: seconds, bytes, whatever the name says.
    pub fn observe(&self, value: f64) {
        record(self.0, value);
    }
}

/// Metrics. The host puts the plugin's name in a label; the same name and labels give the same
/// metric again. One that the host refuses fails the call that reports it.
impl HostServices {
    /// A counter. The name is of letters, digits and `_`, as Prometheus has it.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Counter> {
        Ok(Counter(metric(MetricKind::Counter, name, help, labels)))
    }

    /// A gauge.
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Gauge> {
        Ok(Gauge(metric(MetricKind::Gauge, name, help, labels)))
    }

    /// A histogram, with the host's buckets for times in seconds.
    pub fn histogram(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Histogram> {
        Ok(Histogram(metric(MetricKind::Histogram, name, help, labels)))
    }
}

/// The metric, which the host is told of with the next answer, so that it shows before it counts.
fn metric(kind: MetricKind, name: &str, help: &str, labels: &[(&str, &str)]) -> &'static Metric {
    let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    let new = Metric { kind, name: name.to_owned(), help: help.to_owned(), labels };
    REPORTS.with_borrow_mut(|reports| {
        if let Some(known) = reports.metrics.iter().find(|known| ***known == new) {
            return *known;
        }
        let metric: &'static Metric = Box::leak(Box::new(new));
        reports.metrics.push(metric);
        reports.measurements.push(Measurement { metric, value: None });
        metric
    })
}

/// One entry for a counter or a gauge, however often a call changes it.
fn record(metric: &'static Metric, value: f64) {
    REPORTS.with_borrow_mut(|reports| {
        let same = |it: &&mut Measurement| std::ptr::eq(it.metric, metric);
        let known = reports.measurements.iter_mut().find(same);
        match (metric.kind, known) {
            (MetricKind::Counter, Some(it)) => it.value = Some(it.value.unwrap_or(0.0) + value),
            (MetricKind::Gauge, Some(it)) => it.value = Some(value),
            _ => reports.measurements.push(Measurement { metric, value: Some(value) }),
        }
    });
}
