//! Audit events: from the proxy's queue through the event plugins, and the locks that come of it.

mod alerts;
mod audit;
mod config;

pub(crate) use config::{EventsConfig, Secret};

use crate::trust::Trust;
use alerts::AlertFile;
use anyhow::{Context, Result};
use audit::Origin;
use config::EventsTo;
use host_events::locks::Locks;
use host_events::sink::{FileSink, LogSink};
use host_events::store::{DEFAULT_LIMIT, DiskStore, FILE_NAME, Store};
use host_events::{AlertLog, Alerts, Chain, Event, EventPlugin, Pipeline, Services, Sink};
use host_proxy::{AuditEvent, AuditQueue, LockCheck, Metrics};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// So many events of the proxy wait for the pipeline; what comes beyond them is dropped and counted.
const QUEUE: usize = 8192;
/// So many wait in the pipeline itself: what one turn of it takes, twice.
const PIPELINE: usize = 512;

/// Events that wait get so long to arrive when the host ends, whatever requests get.
const LEAST: Duration = Duration::from_secs(2);

/// The store, which also holds the locks. Opened for event plugins, and for the locks that those of
/// an earlier run may have left.
pub(crate) fn store(state: &Path, config: Option<&EventsConfig>) -> Result<Option<Arc<DiskStore>>> {
    let needed = config.is_some_and(|config| !config.plugins.is_empty());
    if !needed && !state.join(FILE_NAME).try_exists().unwrap_or(false) {
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

/// The pipeline, as it runs.
pub(crate) struct Events {
    /// Where the proxy's events go.
    pub(crate) queue: Arc<AuditQueue>,
    end: watch::Sender<bool>,
    running: JoinHandle<Result<()>>,
}

impl Events {
    /// Loads the plugins, opens the sinks and starts the pipeline.
    pub(crate) async fn start(
        config: EventsConfig,
        trust: &Trust,
        state: &Path,
        store: Option<Arc<DiskStore>>,
        upstream: String,
        metrics: &Metrics,
    ) -> Result<Self> {
        let counts = host_events::Metrics::default();
        metrics.register(|registry| counts.register(registry));
        let alerts: Arc<dyn Alerts> = match &config.alerts {
            Some(path) => Arc::new(AlertFile::open(path, config.rotation)?),
            None => Arc::new(AlertLog),
        };
        let mut plugins = Vec::new();
        if let Some(store) = store {
            let services = Services {
                store: store.clone() as Arc<dyn Store>,
                locks: store as Arc<dyn Locks>,
                alerts,
            };
            let cache = code_cache(state)?;
            for manifest in config.plugins {
                let path = manifest.path.display().to_string();
                let unusable = || format!("the event plugin {path} cannot be used");
                let wasm = manifest.read().with_context(unusable)?;
                trust.admit_module(&manifest.path, &wasm).with_context(unusable)?;
                let services = services.clone();
                let loaded =
                    EventPlugin::of_module(manifest, wasm, services, &counts, Some(cache.clone()));
                let plugin = loaded.await.with_context(unusable)?;
                tracing::info!(
                    plugin = plugin.name(),
                    instances = plugin.pool().concurrency(),
                    "event plugin {path} is loaded"
                );
                plugins.push(plugin);
            }
        }
        let sink: Option<Box<dyn Sink>> = match &config.to {
            EventsTo::Nowhere => None,
            EventsTo::Log => Some(Box::new(LogSink)),
            EventsTo::File(path) => {
                let file = FileSink::open(path, config.rotation);
                Some(Box::new(
                    file.with_context(|| format!("--events {} cannot be written", path.display()))?,
                ))
            }
        };
        let pipeline = Pipeline::new(Chain::new(plugins), sink.into_iter().collect(), counts);
        let (queue, receiver) = AuditQueue::new(QUEUE, metrics);
        let (end, ending) = watch::channel(false);
        let origin = Origin { cluster: config.cluster, upstream };
        let running = tokio::spawn(run(pipeline, receiver, origin, ending));
        Ok(Self { queue, end, running })
    }

    /// Ends when the pipeline does, which is only by a plugin that must not fail.
    pub(crate) async fn stopped(&mut self) -> Result<()> {
        (&mut self.running).await.context("the pipeline of events has ended")?
    }

    /// Takes no more events and lets those that wait arrive.
    pub(crate) async fn finish(self, timeout: Duration) {
        let _ = self.end.send(true);
        let timeout = timeout.max(LEAST);
        match tokio::time::timeout(timeout, self.running).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!("{error:#}"),
            Ok(Err(error)) => tracing::error!("the pipeline of events has ended: {error}"),
            Err(_) => tracing::error!("events are lost: {timeout:?} were not enough to end them"),
        }
    }
}

/// Takes events from the proxy into the pipeline until it is told to end.
async fn run(
    pipeline: Pipeline,
    mut queue: Receiver<AuditEvent>,
    origin: Origin,
    mut ending: watch::Receiver<bool>,
) -> Result<()> {
    let (events, source) = channel::<Event>(PIPELINE);
    let pipeline = tokio::spawn(pipeline.run(source));
    let mut waiting = Vec::new();
    loop {
        tokio::select! {
            count = queue.recv_many(&mut waiting, PIPELINE) => if count == 0 { break },
            // A plugin that must not fail has failed.
            () = events.closed() => break,
            // What is in it by then still comes out.
            _ = ending.changed() => queue.close(),
        }
        for event in waiting.drain(..) {
            if events.send(origin.event(event)).await.is_err() {
                queue.close();
            }
        }
    }
    drop(events);
    Ok(pipeline.await??)
}

/// Tells wasmtime to keep compiled code in the state folder, where only this user can write: the
/// code is run as it is found.
pub(crate) fn code_cache(state: &Path) -> Result<PathBuf> {
    let write = || -> std::io::Result<PathBuf> {
        let folder = std::path::absolute(state)?.join("wasm-cache");
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
