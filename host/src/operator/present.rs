//! What is shown of the parts of a host: of stages, traffic, queue, store and log.

use super::status::{self, Log, Plugin, Queue, Traffic};
use host_events::store::DiskStore;
use host_proxy::native::LogLine;
use host_proxy::{AuditQueue, OnPanic, Policy, Proxy, Stage};
use std::path::Path;
use std::time::{Duration, SystemTime};

impl Plugin {
    /// What a stage is, and what has become of it.
    pub(crate) fn of(stage: &Stage) -> Self {
        let (info, life) = (&stage.plugin.info, &stage.life);
        let (state, since, reason) = life.now();
        let counts = life.stats().read();
        let patches = stage.place.is_patch() && !stage.is_builtin();
        Self {
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
            replaces: patches.then(|| stage.place.to_string()),
            state: state.to_string(),
            reason,
            since: date(since),
            calls: counts.calls(),
            errors: counts.errors,
            panics: counts.panics,
            slow: counts.slow,
            not_called: counts.not_called,
            p50_us: counts.p50().map(micros),
            p99_us: counts.p99().map(micros),
            policy: status::Policy::of(&stage.policy),
        }
    }
}

impl status::Policy {
    fn of(policy: &Policy) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let breaker = policy.breaker.map(|breaker| {
            let [window, rest] = [breaker.window, breaker.rest].map(humantime::format_duration);
            format!("{} in {window}, rests {rest}", breaker.failures)
        });
        let on_panic = match policy.on_panic {
            OnPanic::Fail => "fail",
            OnPanic::Bypass => "bypass",
        };
        Self {
            on_panic: on_panic.to_owned(),
            breaker,
            deadline_ms: policy.deadline.map(millis),
            slow_ms: policy.slow.map(millis),
        }
    }
}

impl Log {
    pub(crate) fn of(line: LogLine) -> Self {
        Self {
            time: date(line.time),
            level: line.level.to_string(),
            plugin: line.plugin.to_owned(),
            message: line.message,
        }
    }
}

/// What a plugin is made of, by its file.
pub(crate) fn kind(path: &Path) -> &'static str {
    match path.extension() {
        _ if path.as_os_str().is_empty() => "builtin",
        Some(extension) if extension == "wasm" => "wasm",
        _ => "native",
    }
}

impl Traffic {
    pub(crate) fn of(proxy: &Proxy) -> Self {
        let passed = proxy.traffic.passed();
        let [none, one, two, three, four, failed] = passed.classes;
        Self {
            connections: passed.connections,
            in_flight: passed.in_flight,
            requests: none + one + two + three + four + failed,
            failed,
        }
    }
}

impl Queue {
    pub(crate) fn of(queue: &AuditQueue) -> Self {
        let (waiting, room) = queue.waiting();
        Self { waiting: waiting as u64, room: room as u64 }
    }
}

impl status::Store {
    pub(crate) fn of(store: &DiskStore) -> Self {
        let stats = store.stats();
        Self {
            tokens: stats.tokens as u64,
            values: stats.values as u64,
            bytes: stats.used as u64,
            limit: stats.limit as u64,
        }
    }
}

/// As much of a hash as people compare.
pub(crate) fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

/// A time as it is shown.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// In RFC 3339, to the millisecond.
pub(crate) fn date(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
