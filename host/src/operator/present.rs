//! What can be seen of a host without asking anybody: its stages, store and locks.

use super::status::{self, Chain, Plugin, Queue, Status, Traffic};
use super::{Command, Declined, Done, Operator, Reason};
use crate::locks::Lock;
use host_events::locks::Locks;
use host_events::store::DiskStore;
use host_proxy::{AuditQueue, OnPanic, Phase, Proxy, Stage};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A host whose plugins stay what they are.
pub(crate) struct Present {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) store: Option<Arc<DiskStore>>,
    pub(crate) queue: Option<Arc<AuditQueue>>,
    pub(crate) started: SystemTime,
    pub(crate) listening: String,
}

impl Operator for Present {
    fn phase(&self) -> Phase {
        self.proxy.phase()
    }

    fn status(&self) -> Status {
        let (proxy, started) = (&self.proxy, date(self.started));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            interface: plugin_interface::VERSION.to_owned(),
            pid: std::process::id(),
            phase: proxy.phase().to_string(),
            listening: self.listening.clone(),
            target: proxy.config.target.text.clone(),
            prefix: proxy.config.prefix.as_str().to_owned(),
            traffic: Traffic::of(proxy),
            chain: Chain { number: 1, since: started.clone(), can_roll_back: false },
            plugins: proxy.chain.load().stages().into_iter().map(|it| Plugin::of(it)).collect(),
            queue: self.queue.as_ref().map(|queue| Queue::of(queue)),
            store: self.store.as_ref().map(|store| status::Store::of(store)),
            locks: self.store.as_ref().map_or(0, |store| store.list().len()),
            started,
            ..Status::default()
        }
    }

    fn locks(&self) -> Vec<Lock> {
        let locks = self.store.as_ref().map(|store| store.list()).unwrap_or_default();
        locks.iter().filter_map(Lock::of).collect()
    }

    fn command<'a>(
        &'a self,
        command: Command,
    ) -> Pin<Box<dyn Future<Output = Result<Done, Declined>> + Send + 'a>> {
        Box::pin(async move {
            let Command::RemoveLock { name } = command else {
                let message = "this host's plugins stay what they are until it ends".to_owned();
                return Err(Declined { reason: Reason::Conflict, message });
            };
            remove_lock(self.store.clone(), name).await
        })
    }
}

/// Waits for the disk.
pub(crate) async fn remove_lock(
    store: Option<Arc<DiskStore>>,
    name: String,
) -> Result<Done, Declined> {
    let missing = format!("there is no lock {name:?}");
    let removed = match store {
        None => Ok(Ok(false)),
        Some(store) => tokio::task::spawn_blocking(move || store.remove(&name)).await,
    };
    match removed {
        Ok(Ok(true)) => Ok(Done { message: "the lock is removed".to_owned() }),
        Ok(Ok(false)) => Err(Declined { reason: Reason::NotFound, message: missing }),
        Ok(Err(error)) => Err(Declined { reason: Reason::Failed, message: error.to_string() }),
        Err(error) => Err(Declined { reason: Reason::Failed, message: error.to_string() }),
    }
}

impl Plugin {
    /// What a stage is, and what has become of it.
    pub(crate) fn of(stage: &Stage) -> Self {
        let Stage { plugin, place, policy, life } = stage;
        let (state, since, reason) = life.now();
        let replaces = match place {
            host_proxy::Place::Pre | host_proxy::Place::Post => None,
            _ if stage.is_builtin() => None,
            patched => Some(patched.to_string()),
        };
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            id: life.id(),
            place: place.to_string(),
            name: plugin.info.name.clone(),
            kind: if stage.is_builtin() { "builtin" } else { "native" }.to_owned(),
            path: plugin.path.display().to_string(),
            version: plugin.info.version.clone(),
            interface: plugin.info.interface.clone(),
            compiler: plugin.info.compiler.clone(),
            sha256: plugin.info.sha256.clone(),
            offers: plugin.offers.list(),
            replaces,
            state: state.to_string(),
            reason,
            since: date(since),
            policy: status::Policy {
                on_panic: match policy.on_panic {
                    OnPanic::Fail => "fail",
                    OnPanic::Bypass => "bypass",
                }
                .to_owned(),
                breaker: policy
                    .breaker
                    .map(|it| format!("{} in {:?}, rests {:?}", it.failures, it.window, it.rest)),
                deadline_ms: policy.deadline.map(milliseconds),
                slow_ms: policy.slow.map(milliseconds),
            },
            ..Self::default()
        }
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
        Self { bytes: stats.used as u64, limit: stats.limit as u64, ..Self::default() }
    }
}

/// In RFC 3339, to the millisecond.
pub(crate) fn date(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
