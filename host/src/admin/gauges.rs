//! What the status has in numbers, as metrics: set when somebody asks for them.

use crate::operator::Status;
use host_proxy::{Metrics, Phase};
use plugin_interface::VERSION;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

type ByPlugin = Family<[(&'static str, String); 1], Gauge>;

/// One for each number; shared with the registry.
#[derive(Default)]
struct Inner {
    uptime: Gauge<f64, AtomicU64>,
    ready: Gauge,
    memory: Gauge,
    instances: ByPlugin,
    busy: ByPlugin,
    waiting: Gauge,
    room: Gauge,
    tokens: Gauge,
    values: Gauge,
    bytes: Gauge,
    limit: Gauge,
    locks: Gauge,
}

pub(super) struct Gauges {
    since: Instant,
    /// Locked while they are set, so that those of two moments are not mixed.
    inner: Mutex<Inner>,
}

impl Gauges {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let inner = Inner::default();
        metrics.register(|registry| {
            let build = vec![("version", env!("CARGO_PKG_VERSION")), ("interface", VERSION)];
            registry.register(
                "tenon_build",
                "The host, and the interface of its plugins",
                Info::new(build),
            );
            let help = "Seconds since the admin listener was started";
            registry.register("tenon_uptime_seconds", help, inner.uptime.clone());
            let help = "Whether requests are taken: 1, or 0 before that and while the host drains";
            registry.register("tenon_ready", help, inner.ready.clone());
            let help = "The memory that the process has from the system";
            registry.register("process_resident_memory_bytes", help, inner.memory.clone());
            let help = "Instances of an event plugin";
            registry.register("tenon_event_plugin_instances", help, inner.instances.clone());
            let help = "Instances of an event plugin that have a call to run";
            registry.register("tenon_event_plugin_busy", help, inner.busy.clone());
            for (name, help, gauge) in [
                (
                    "tenon_audit_events_waiting",
                    "Audit events that wait to be handled",
                    &inner.waiting,
                ),
                ("tenon_audit_events_room", "Audit events that can wait", &inner.room),
                ("tenon_store_tokens", "Tokens in the store that are alive", &inner.tokens),
                ("tenon_store_values", "Values in the store", &inner.values),
                ("tenon_store_bytes", "Bytes of the store that are taken", &inner.bytes),
                ("tenon_store_limit_bytes", "Bytes that the store has room for", &inner.limit),
                ("tenon_locks", "Locks that are in force", &inner.locks),
            ] {
                registry.register(name, help, gauge.clone());
            }
        });
        Self { since: Instant::now(), inner: Mutex::new(inner) }
    }

    pub(super) fn set(&self, status: &Status) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uptime.set(self.since.elapsed().as_secs_f64());
        inner.ready.set(i64::from(status.phase == Phase::Serving.as_str()));
        inner.memory.set(resident().map_or(0, signed));
        inner.instances.clear();
        inner.busy.clear();
        for plugin in &status.event_plugins {
            let labels = [("plugin", plugin.name.clone())];
            inner.instances.get_or_create(&labels).set(signed(plugin.pool.instances));
            inner.busy.get_or_create(&labels).set(signed(plugin.pool.busy));
        }
        let queue = status.queue.clone().unwrap_or_default();
        inner.waiting.set(signed(queue.waiting));
        inner.room.set(signed(queue.room));
        let store = status.store.clone().unwrap_or_default();
        inner.tokens.set(signed(store.tokens));
        inner.values.set(signed(store.values));
        inner.bytes.set(signed(store.bytes));
        inner.limit.set(signed(store.limit));
        inner.locks.set(i64::try_from(status.locks).unwrap_or(i64::MAX));
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// In bytes, as Linux tells; nothing on other systems.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
