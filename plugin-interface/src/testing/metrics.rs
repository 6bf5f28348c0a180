//! Metrics that a test can read.

use crate::error::{Error, Result};
use crate::services::{Metric, MetricKind};
use abi_stable::sabi_types::RRef;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Name and labels.
type Key = (String, BTreeMap<String, String>);

/// What plugins have registered. Like the host's, a metric is never removed.
#[derive(Default)]
pub(super) struct Metrics(BTreeMap<Key, &'static Recorded>);

struct Recorded {
    kind: MetricKind,
    value: Mutex<f64>,
}

impl Metrics {
    /// The metric of this name and labels: the same again, if it is there.
    pub(super) fn register<'a>(
        &mut self,
        kind: MetricKind,
        name: &str,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Metric> {
        let labels: BTreeMap<_, _> = labels.map(|(key, it)| (key.into(), it.into())).collect();
        if let Some(bad) =
            [name].into_iter().chain(labels.keys().map(String::as_str)).find(|it| !valid(it))
        {
            return Err(Error::new(format_args!(
                "{bad:?} cannot be the name of a metric or label: letters, digits and _ only"
            )));
        }
        let key = (name.to_owned(), labels);
        let recorded = *self
            .0
            .entry(key)
            .or_insert_with(|| Box::leak(Box::new(Recorded { kind, value: Mutex::default() })));
        if recorded.kind != kind {
            return Err(Error::new(format_args!("{name} is a metric of another kind already")));
        }
        // SAFETY: `record` takes its state for a `Recorded`, which is `Sync`.
        Ok(unsafe { Metric::new(recorded, record) })
    }

    /// What it is now.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|&(key, it)| (key.to_owned(), it.to_owned())).collect();
        let recorded = self.0.get(&(name.to_owned(), labels))?;
        Some(*recorded.value.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn valid(name: &str) -> bool {
    let letter = |it: char| it.is_ascii_alphabetic() || it == '_';
    name.starts_with(letter) && name.chars().all(|it| letter(it) || it.is_ascii_digit())
}

extern "C" fn record(state: RRef<'static, ()>, value: f64) {
    // SAFETY: `register` has made this metric with a `Recorded`.
    let recorded: &'static Recorded = unsafe { state.transmute_into_ref() };
    let mut stored = recorded.value.lock().unwrap_or_else(PoisonError::into_inner);
    match recorded.kind {
        MetricKind::GAUGE => *stored = value,
        _ => *stored += value,
    }
}
