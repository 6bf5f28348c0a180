//! How it is, for the operator and for metrics.

use super::past::kind;
use super::reload::Trigger;
use super::set::EventSlot;
use super::{Live, Now};
use crate::operator::{self, Status};
use host_proxy::native::{LogLine, recent_lines};
use host_proxy::{Metrics, OnPanic, Policy, Stage};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use std::time::{Duration, SystemTime};

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
        let mut plugins: Vec<_> = chain.stages().into_iter().map(|stage| plugin(stage)).collect();
        let now = self.lock();
        for shown in &mut plugins {
            if now.holds.keys().any(|key| key.place == shown.place && is_of(&now, key, shown.id)) {
                let held = "its file has changed, and that content is not taken";
                shown.reason =
                    [&*shown.reason, held].join(if shown.reason.is_empty() { "" } else { "; " });
            }
        }
        let config = &world.proxy.config;
        let scheme = if world.tls.is_some() { "https" } else { "http" };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            interface: plugin_interface::VERSION.to_owned(),
            pid: std::process::id(),
            started: time(self.started),
            listening: format!("{scheme}://{}", world.listening),
            target: config.target.text.clone(),
            prefix: config.prefix.as_str().to_owned(),
            chain: operator::Chain {
                number: now.number,
                since: time(now.since),
                can_roll_back: now.before.is_some(),
            },
            plugins,
            past: now.past.list(),
            generations: operator::Generations {
                mapped: world.loader.mapped() as u64,
                budget: world.budget as u64,
            },
            last_reload: now.last_reload.clone(),
            event_plugins: now.set.events.iter().filter_map(event_plugin).collect(),
            store: world.store.as_ref().map(|store| {
                let stats = store.stats();
                operator::Store {
                    tokens: stats.tokens as u64,
                    values: stats.values as u64,
                    bytes: stats.used as u64,
                    limit: stats.limit as u64,
                }
            }),
            log: recent_lines().into_iter().map(log).collect(),
            locks: self.locks().map_or(0, |locks| locks.list().len()),
            ..Status::default()
        }
    }
}

/// Whether the plugin of that number is what a key has come to.
fn is_of(now: &Now, key: &super::declared::Key, id: u64) -> bool {
    now.set.slots.iter().any(|slot| slot.key == *key && slot.stage.life.id() == id)
}

/// What a stage is, and what has become of it.
pub(crate) fn plugin(stage: &Stage) -> operator::Plugin {
    let (info, life) = (&stage.plugin.info, &stage.life);
    let (state, since, reason) = life.now();
    let counts = life.stats().read();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    operator::Plugin {
        id: life.id(),
        place: stage.place.to_string(),
        name: info.name.clone(),
        kind: kind(&stage.plugin.path).to_owned(),
        path: stage.plugin.path.display().to_string(),
        version: info.version.clone(),
        interface: info.interface.clone(),
        compiler: info.compiler.clone(),
        sha256: info.sha256.clone(),
        offers: stage.plugin.offers.list(),
        replaces: (stage.place.is_patch() && !stage.is_builtin()).then(|| stage.place.to_string()),
        state: state.to_string(),
        reason,
        since: time(since),
        calls: counts.calls(),
        errors: counts.errors,
        panics: counts.panics,
        slow: counts.slow,
        not_called: counts.not_called,
        p50_us: counts.p50().map(micros),
        p99_us: counts.p99().map(micros),
        policy: policy(&stage.policy),
    }
}

fn policy(policy: &Policy) -> operator::Policy {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let breaker = policy.breaker.map(|breaker| {
        let [window, rest] = [breaker.window, breaker.rest].map(humantime::format_duration);
        format!("{} in {window}, rests {rest}", breaker.failures)
    });
    operator::Policy {
        on_panic: match policy.on_panic {
            OnPanic::Fail => "fail",
            OnPanic::Bypass => "bypass",
        }
        .to_owned(),
        breaker,
        deadline_ms: policy.deadline.map(millis),
        slow_ms: policy.slow.map(millis),
    }
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
            discarded: counts.discarded,
            timeout_ms: u64::try_from(pool.timeout().as_millis()).unwrap_or(u64::MAX),
            memory: pool.memory(),
        },
        kept: counts.kept,
        changed: counts.changed,
        skipped: counts.skipped,
        failed: counts.failed,
        p50_us: None,
        p99_us: None,
    })
}

fn log(line: LogLine) -> operator::Log {
    operator::Log {
        time: time(line.time),
        level: line.level.to_string(),
        plugin: line.plugin.to_owned(),
        message: line.message,
    }
}

/// As times are shown: RFC 3339 in UTC.
pub(crate) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
