//! The metrics of plugins by name and place, over all their lives.

use super::stats::Counts;
use super::{Life, Place, Stage, State};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The bounds of the histogram of times, as powers of two nanoseconds: from 1 µs to 17 s, each four
/// times the one before.
const BOUNDS: [u32; 13] = [10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34];

/// All plugins that have been in use. A plugin that is loaded anew goes on counting where the one
/// before it has stopped: a counter that goes backwards would mean that the process was restarted.
/// So there is one row of metrics for each name and place, however often it is loaded.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<BTreeMap<(Place, String), Entry>>>);

#[derive(Default)]
struct Entry {
    /// The sum of the lives that have ended.
    past: Counts,
    lives: Vec<Arc<Life>>,
    generations: u64,
}

/// One row of metrics.
struct Row {
    labels: [(&'static str, String); 2],
    counts: Counts,
    states: Vec<State>,
    generations: u64,
}

impl Ledger {
    /// Counts this stage from now on, if it is not counted yet.
    pub(crate) fn watch(&self, stage: &Stage) {
        let mut entries = self.lock();
        let name = stage.plugin.info.name.clone();
        let entry = entries.entry((stage.place, name)).or_default();
        entry.fold();
        if !entry.lives.iter().any(|life| life.id() == stage.life.id()) {
            entry.lives.push(stage.life.clone());
            entry.generations += 1;
        }
    }

    fn rows(&self) -> Vec<Row> {
        let mut entries = self.lock();
        let row = |((place, name), entry): (&(Place, String), &mut Entry)| {
            entry.fold();
            let mut counts = entry.past.clone();
            entry.lives.iter().for_each(|life| counts.merge(&life.stats().read()));
            Row {
                labels: [("plugin", name.clone()), ("place", place.as_str().to_owned())],
                counts,
                states: entry.lives.iter().map(|life| life.state()).collect(),
                generations: entry.generations,
            }
        };
        entries.iter_mut().map(row).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Place, String), Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Adds up the lives that have ended: nobody counts with them any more.
    fn fold(&mut self) {
        let past = &mut self.past;
        self.lives.retain(|life| {
            let ended = life.state() == State::Retired;
            if ended {
                past.merge(&life.stats().read());
            }
            !ended
        });
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

impl Collector for Ledger {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page { rows: self.rows(), encoder };
        page.decisions()?;
        page.counter("panics", "Calls of plugins that panicked", |it| it.panics)?;
        page.counter("overdue", "Calls of plugins that were cut off at the deadline", |it| {
            it.overdue
        })?;
        let help = "Calls of plugins that took longer than their policy has for slow";
        page.counter("slow", help, |it| it.slow)?;
        let help = "Times that a request went on, or failed, without a call of a disabled plugin";
        page.counter("not_called", help, |it| it.not_called)?;
        let help = "Times that the breakers of plugins opened";
        page.counter("breaker_opened", help, |it| it.opened)?;
        page.counter("deferred", "Calls of plugins that had to wait", |it| it.deferred)?;
        let help = "What deferred calls have waited for, which is not a plugin's own time";
        page.counter("wait_seconds", help, |it| it.waited.as_secs_f64())?;
        page.own_time()?;
        page.states()?;
        page.generations()
    }
}

struct Page<'a> {
    rows: Vec<Row>,
    encoder: DescriptorEncoder<'a>,
}

impl Page<'_> {
    fn counter<V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&Counts) -> V,
    ) -> fmt::Result {
        let name = format!("tenon_plugin_{name}");
        let mut family = self.encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
        for row in &self.rows {
            let mut metric = family.encode_family(&row.labels)?;
            metric.encode_counter::<NoLabelSet, _, f64>(&value(&row.counts), None)?;
        }
        Ok(())
    }

    fn decisions(&mut self) -> fmt::Result {
        let help = "What calls of plugins decided";
        let name = "tenon_plugin_decisions";
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for Row { labels: [plugin, place], counts, .. } in &self.rows {
            for (decision, count) in [
                ("next", counts.next),
                ("respond", counts.responded),
                ("fail", counts.failed),
                ("bypass", counts.bypassed),
            ] {
                let labels = [plugin.clone(), place.clone(), ("decision", decision.to_owned())];
                let mut metric = family.encode_family(&labels)?;
                metric.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
            }
        }
        Ok(())
    }

    fn own_time(&mut self) -> fmt::Result {
        let (name, help) =
            ("tenon_plugin_own_seconds", "The time that the code of plugins ran in a call");
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for Row { labels, counts, .. } in &self.rows {
            let (sum, times) = (counts.own.as_secs_f64(), &counts.times);
            let mut before = 0;
            let mut buckets: Vec<(f64, u64)> = BOUNDS
                .iter()
                .map(|power| {
                    let below = times.below(*power);
                    let here = below - before;
                    before = below;
                    (Duration::from_nanos(1 << power).as_secs_f64(), here)
                })
                .collect();
            let total = times.total();
            buckets.push((f64::INFINITY, total - before));
            let mut metric = family.encode_family(labels)?;
            metric.encode_histogram::<NoLabelSet>(sum, total, &buckets, None)?;
        }
        Ok(())
    }

    /// How many plugins of a name and place are in each state: one that is loaded anew drains while
    /// the next one is active already.
    fn states(&mut self) -> fmt::Result {
        let help = "How many plugins of that name are in that state";
        let name = "tenon_plugin_state";
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for Row { labels: [plugin, place], states, .. } in &self.rows {
            let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
            for state in states {
                *counts.entry(state.as_str()).or_default() += 1;
            }
            for (state, count) in counts {
                let labels = [plugin.clone(), place.clone(), ("state", state.to_owned())];
                family.encode_family(&labels)?.encode_gauge(&count)?;
            }
        }
        Ok(())
    }

    fn generations(&mut self) -> fmt::Result {
        let help = "How often plugins of that name have been put in that place";
        let name = "tenon_plugin_generations";
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for row in &self.rows {
            let mut metric = family.encode_family(&row.labels)?;
            metric.encode_counter::<NoLabelSet, _, f64>(&row.generations, None)?;
        }
        Ok(())
    }
}
