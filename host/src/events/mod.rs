//! Audit events: from the proxy's queue through the event plugins, and the locks that come of it.

mod alerts;
mod audit;
mod config;
mod run;

pub(crate) use config::{EventsConfig, Secret, as_text, manifest, unique};

use crate::handover::Heir;
use crate::state::CODE;
use crate::trust::Trust;
use alerts::AlertFile;
use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use audit::Origin;
use config::EventsTo;
use host_events::locks::Locks;
use host_events::sink::{FileSink, LogSink, Rotation};
use host_events::store::{DEFAULT_LIMIT, DiskStore, FILE_NAME, Store};
use host_events::{
    AlertLog, Alerts, Chain, Event, EventPlugin, Manifest, Pipeline, Services, Sink,
};
use host_proxy::{AuditQueue, LockCheck, Metrics};
use run::{Running, Sources};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// So many events of the proxy wait for the pipeline; what comes beyond them is dropped and counted.
const QUEUE: usize = 8192;

/// Events that wait get so long to arrive when the host ends, whatever requests get.
const LEAST: Duration = Duration::from_secs(2);

/// The store, which also holds the locks. Opened where there are events, since plugins for them may
/// come while the host runs, and for the locks that those of an earlier run may have left.
pub(crate) fn store(state: &Path, config: Option<&EventsConfig>) -> Result<Option<Arc<DiskStore>>> {
    if config.is_none() && !state.join(FILE_NAME).try_exists().unwrap_or(false) {
        return Ok(None);
    }
    Ok(Some(Arc::new(DiskStore::open(state, DEFAULT_LIMIT)?)))
}

/// The locks, as the proxy asks for them.
pub(crate) struct ProxyLocks(pub(crate) Arc<DiskStore>);

impl LockCheck for ProxyLocks {
    fn locked(&self, user: &str) -> Option<Arc<str>> {
        self.0.locked(user)
    }
}

/// The pipeline.
pub(crate) struct Events {
    /// Where the proxy's events go.
    pub(crate) queue: Arc<AuditQueue>,
    /// What they pass.
    pub(crate) chain: Arc<ArcSwap<Chain>>,
    config: EventsConfig,
    counts: host_events::Metrics,
    origin: Arc<Origin>,
    state: State,
}

enum State {
    Running(Running),
    Paused(Sources),
    /// Only while it goes from one to the other, and after a mistake of ours.
    Gone,
}

/// What event plugins are loaded with.
pub(crate) struct EventLoader {
    services: Services,
    counts: host_events::Metrics,
    /// Where compiled code is kept, if anywhere.
    cache: Option<PathBuf>,
    trust: Trust,
}

impl EventLoader {
    /// Opens what they are lent.
    pub(crate) fn new(
        config: &EventsConfig,
        trust: &Trust,
        state: &Path,
        store: Arc<impl Store + Locks + 'static>,
        metrics: &Metrics,
    ) -> Result<Self> {
        let counts = host_events::Metrics::default();
        metrics.register(|registry| counts.register(registry));
        let services = Services {
            store: store.clone() as Arc<dyn Store>,
            locks: store as Arc<dyn Locks>,
            alerts: alerts(config.alerts.as_deref(), config.rotation)?,
        };
        Ok(Self::of(services, counts, Some(code_cache(state)?), trust.clone()))
    }

    /// With what they are lent.
    pub(crate) fn of(
        services: Services,
        counts: host_events::Metrics,
        cache: Option<PathBuf>,
        trust: Trust,
    ) -> Self {
        Self { services, counts, cache, trust }
    }

    /// Loads a plugin: this module, whatever is in its file by now.
    pub(crate) async fn load(&self, manifest: Manifest, module: Vec<u8>) -> Result<EventPlugin> {
        let path = manifest.path.display().to_string();
        let unusable = || format!("the event plugin {path} cannot be used");
        self.trust.admit_module(&manifest.path, &module).with_context(unusable)?;
        let (services, cache) = (self.services.clone(), self.cache.clone());
        let loaded = EventPlugin::of_module(manifest, module, services, &self.counts, cache);
        let plugin = loaded.await.with_context(unusable)?;
        tracing::info!(
            plugin = plugin.name(),
            instances = plugin.pool().concurrency(),
            "event plugin {path} is loaded"
        );
        Ok(plugin)
    }
}

impl Events {
    /// Opens the sinks and starts the pipeline, without plugins. Events of a process that this one has
    /// taken over from come out of `handed`.
    pub(crate) fn start(
        config: EventsConfig,
        loader: &EventLoader,
        upstream: String,
        metrics: &Metrics,
        handed: Option<Receiver<Event>>,
    ) -> Result<Self> {
        let (queue, receiver) = AuditQueue::new(QUEUE, metrics);
        let origin = Arc::new(Origin { cluster: config.cluster.clone(), upstream });
        let mut events = Self {
            queue,
            chain: Arc::default(),
            config,
            counts: loader.counts.clone(),
            origin,
            state: State::Paused(Sources { queue: receiver, handed }),
        };
        events.resume()?;
        Ok(events)
    }

    /// Ends when the pipeline does, which is only by a plugin that must not fail.
    pub(crate) async fn stopped(&mut self) -> Result<()> {
        match &mut self.state {
            State::Running(running) => running.stopped().await,
            State::Paused(_) | State::Gone => std::future::pending().await,
        }
    }

    /// Lets the events arrive that are there, and closes the sinks. Others wait in the queue.
    pub(crate) async fn pause(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Running(running) => {
                let (ended, sources) = running.pause().await?;
                self.state = State::Paused(sources);
                ended
            }
            other => {
                self.state = other;
                Ok(())
            }
        }
    }

    /// Opens the sinks, and takes up what waits.
    pub(crate) fn resume(&mut self) -> Result<()> {
        let sinks = self.sinks()?;
        if let Some(sources) = self.sources() {
            let pipeline = Pipeline::around(self.chain.clone(), sinks, self.counts.clone());
            let running = Running::pipeline(pipeline, sources, self.origin.clone());
            self.state = State::Running(running);
        }
        Ok(())
    }

    /// Hands what waits, and what comes, to the process that has taken over.
    pub(crate) fn forward(&mut self, heir: Heir) {
        if let Some(sources) = self.sources() {
            let running = Running::forwarding(heir, sources, self.origin.clone());
            self.state = State::Running(running);
        }
    }

    /// Takes no more events and lets those that wait arrive.
    pub(crate) async fn finish(mut self, timeout: Duration) {
        let State::Running(running) = std::mem::replace(&mut self.state, State::Gone) else {
            return;
        };
        let timeout = timeout.max(LEAST);
        match tokio::time::timeout(timeout, running.finish()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("{error:#}"),
            Err(_) => tracing::error!("events are lost: {timeout:?} were not enough to end them"),
        }
    }

    fn sources(&mut self) -> Option<Sources> {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Paused(sources) => Some(sources),
            other => {
                self.state = other;
                None
            }
        }
    }

    fn sinks(&self) -> Result<Vec<Box<dyn Sink>>> {
        Ok(match &self.config.to {
            EventsTo::Nowhere => Vec::new(),
            EventsTo::Log => vec![Box::new(LogSink)],
            EventsTo::File(path) => {
                let file = FileSink::open(path, self.config.rotation);
                let cannot = || format!("--events {} cannot be written", path.display());
                vec![Box::new(file.with_context(cannot)?)]
            }
        })
    }
}

/// Where alerts go: the log, and a file if there is one.
pub(crate) fn alerts(file: Option<&Path>, rotation: Rotation) -> Result<Arc<dyn Alerts>> {
    Ok(match file {
        Some(path) => Arc::new(AlertFile::open(path, rotation)?),
        None => Arc::new(AlertLog),
    })
}

/// Tells wasmtime to keep compiled code in the state folder, where only this user can write: the
/// code is run as it is found.
pub(crate) fn code_cache(state: &Path) -> Result<PathBuf> {
    let write = || -> std::io::Result<PathBuf> {
        let folder = std::path::absolute(state)?.join(CODE);
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // wasmtime tidies up the folder of the code: what it does not know there, it removes.
        let code = folder.join("code");
        builder.recursive(true).create(&code)?;
        let mut table = toml::Table::new();
        table.insert("directory".to_owned(), code.display().to_string().into());
        let config = folder.join("wasmtime.toml");
        std::fs::write(
            &config,
            toml::Table::from_iter([("cache".to_owned(), table.into())]).to_string(),
        )?;
        Ok(config)
    };
    write().with_context(|| format!("the state folder {} cannot be written", state.display()))
}
