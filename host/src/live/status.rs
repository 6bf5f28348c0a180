//! How it is, for the operator and for metrics.

use super::reload::Trigger;
use super::set::EventSlot;
use super::{Live, Now};
use crate::operator::{self, Log, Plugin, Queue, Status, Store, Traffic, date, micros};
use host_proxy::Metrics;
use host_proxy::native::recent_lines;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// What is counted.
pub(crate) struct Meters {
    mapped: Gauge,
    reloads: Family<[(&'static str, String); 2], Counter>,
    budget: usize,
}

impl Meters {
    pub(crate) fn new(metrics: &Metrics, budget: usize) -> Self {
        let (mapped, of) = (Gauge::default(), Gauge::<i64>::default());
        let reloads = Family::<_, Counter>::default();
        of.set(i64::try_from(budget).unwrap_or(i64::MAX));
        metrics.register(|registry| {
            let help = "Different native libraries that are mapped: none is ever unmapped";
            registry.register("tenon_native_libraries", help, mapped.clone());
            let help = "How many there may be before reloads of native code are refused";
            registry.register("tenon_native_libraries_budget", help, of);
            let help = "Reloads of plugins, by what set them off and what came of them";
            registry.register("tenon_reloads", help, reloads.clone());
        });
        Self { mapped, reloads, budget }
    }

    /// So many libraries are mapped now. From three quarters of the budget on the log warns of more.
    pub(crate) fn mapped(&self, count: usize) {
        let before = self.mapped.set(i64::try_from(count).unwrap_or(i64::MAX));
        let more = usize::try_from(before).is_ok_and(|before| before < count);
        if more && count.saturating_mul(4) >= self.budget.saturating_mul(3) {
            let budget = self.budget;
            tracing::warn!(
                "{count} native libraries are mapped; beyond {budget} reloads of native code are \
                 refused until the host is restarted"
            );
        }
    }

    pub(crate) fn reloaded(&self, trigger: Trigger, succeeded: bool) {
        let outcome = if succeeded { "taken" } else { "refused" };
        let labels = [("trigger", trigger.as_str().to_owned()), ("outcome", outcome.to_owned())];
        self.reloads.get_or_create(&labels).inc();
    }
}

impl Live {
    /// The whole of it.
    pub(super) fn status_now(&self) -> Status {
        let world = &self.world;
        let chain = world.proxy.chain.load();
        let mut plugins: Vec<_> =
            chain.stages().into_iter().map(|stage| Plugin::of(stage)).collect();
        let now = self.lock();
        for shown in &mut plugins {
            if now.holds.keys().any(|key| key.place == shown.place && is_of(&now, key, shown.id)) {
                let held = "its file has changed, and that content is not taken";
                shown.reason =
                    [&*shown.reason, held].join(if shown.reason.is_empty() { "" } else { "; " });
            }
        }
        let config = &world.proxy.config;
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            interface: plugin_interface::VERSION.to_owned(),
            pid: std::process::id(),
            started: date(world.started),
            phase: world.proxy.phase().to_string(),
            listening: world.listening.clone(),
            target: config.target.text.clone(),
            prefix: config.prefix.as_str().to_owned(),
            traffic: Traffic::of(&world.proxy),
            chain: operator::Chain {
                number: now.number,
                since: date(now.since),
                can_roll_back: now.before.is_some(),
            },
            shadows: now.set.shadows.iter().map(|slot| slot.status(&chain)).collect(),
            plugins,
            past: now.past.list(),
            generations: operator::Generations {
                mapped: world.loaders.native.mapped() as u64,
                budget: world.budget as u64,
            },
            last_reload: now.last_reload.clone(),
            notes: now.notes.clone(),
            event_plugins: now.set.events.iter().filter_map(event_plugin).collect(),
            queue: world.queue.as_ref().map(|queue| Queue::of(queue)),
            store: world.store.as_ref().map(|store| Store::of(store)),
            log: recent_lines().into_iter().map(Log::of).collect(),
            locks: self.locks().map_or(0, |locks| locks.list().len()),
        }
    }
}

/// Whether the plugin of that number is what a key has come to.
fn is_of(now: &Now, key: &super::declared::Key, id: u64) -> bool {
    now.set.slots.iter().any(|slot| slot.key == *key && slot.stage.life.id() == id)
}

fn event_plugin(slot: &EventSlot) -> Option<operator::EventPlugin> {
    let (plugin, manifest) = (slot.plugin.as_ref()?, &slot.manifest);
    let (counts, pool) = (plugin.counts(), plugin.pool());
    let (state, reason) = match plugin.rests() {
        Some(rest) => {
            ("resting".to_owned(), format!("it has failed again and again; {rest:.0?} more"))
        }
        None => (slot.life.state().to_string(), slot.life.now().2),
    };
    Some(operator::EventPlugin {
        id: slot.life.id(),
        name: plugin.name().to_owned(),
        path: manifest.path.display().to_string(),
        sha256: slot.sha256.clone(),
        state,
        reason,
        on_error: format!("{:?}", manifest.on_error).to_lowercase(),
        pool: operator::Pool {
            instances: pool.concurrency() as u64,
            busy: pool.busy() as u64,
            discarded: counts.discarded,
            timeout_ms: u64::try_from(pool.timeout().as_millis()).unwrap_or(u64::MAX),
            memory: pool.memory(),
        },
        kept: counts.kept,
        changed: counts.changed,
        skipped: counts.skipped,
        failed: counts.failed,
        p50_us: counts.p50.map(micros),
        p99_us: counts.p99.map(micros),
    })
}
