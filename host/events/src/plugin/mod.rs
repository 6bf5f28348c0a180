//! One event plugin: its pool, how it is asked, and what happens when it fails.

mod ask;
mod entry;
mod health;
mod manifest;
mod message;

pub use manifest::{Manifest, OnError};
pub use message::Answer;

use crate::codec::CodecError;
use crate::event::Event;
use crate::functions::{Lent, Services, functions};
use crate::metrics::{Counts, Metrics, PluginMetrics};
use crate::pool::{BuildError, CallError, Pool, PoolBuilder};
use entry::Entry;
use health::Health;
use host_lines::LogLimit;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An event plugin, ready to be asked.
pub struct EventPlugin {
    name: Arc<str>,
    pool: Pool,
    entry: Entry,
    on_error: OnError,
    health: Health,
    /// How calls about many events fare.
    batches: Health,
    batch_log: LogLimit,
    metrics: PluginMetrics,
    log: LogLimit,
}

/// A plugin failed whose configuration says that all ends with that.
#[derive(Debug, thiserror::Error)]
#[error("the event plugin {plugin} {error}; its configuration says to stop then")]
pub struct Stopped {
    plugin: String,
    error: Failure,
}

impl Stopped {
    /// What happened, without the plugin's name: `failed: …`, `ran longer than …`.
    pub fn reason(&self) -> String {
        self.error.to_string()
    }
}

/// Why a plugin did not handle an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Call(#[from] CallError),
    /// It has failed too often.
    #[error("rests for {0:?} more, since it has failed again and again")]
    Resting(Duration),
}

impl EventPlugin {
    /// Loads a plugin. `cache` is a TOML file of wasmtime's that says where compiled code is kept.
    pub async fn load(
        manifest: Manifest,
        services: Services,
        metrics: &Metrics,
        cache: Option<PathBuf>,
    ) -> Result<Self, BuildError> {
        let wasm = manifest.read()?;
        Self::of_module(manifest, wasm, services, metrics, cache).await
    }

    /// The same, of a module that the caller has read ([`Manifest::read`]), and checked perhaps: it
    /// is what runs, whatever is in the file by then.
    pub async fn of_module(
        manifest: Manifest,
        wasm: Vec<u8>,
        services: Services,
        metrics: &Metrics,
        cache: Option<PathBuf>,
    ) -> Result<Self, BuildError> {
        let metrics = metrics.plugin(&manifest.name);
        let builder = builder(&manifest, wasm, services, &metrics, cache);
        Self::over(builder, manifest.on_error, manifest.handler.as_deref(), metrics).await
    }

    /// What becomes of an event that it fails on.
    pub fn on_error(&self) -> OnError {
        self.on_error
    }

    /// A plugin over a pool that is still to be built.
    pub(crate) async fn over(
        builder: PoolBuilder,
        on_error: OnError,
        handler: Option<&str>,
        metrics: PluginMetrics,
    ) -> Result<Self, BuildError> {
        let pool = builder.build().await?;
        let entry = Entry::of(&pool, handler);
        let entry = entry
            .map_err(|reason| BuildError::Module { plugin: pool.name().to_owned(), reason })?;
        Ok(Self {
            name: pool.name().into(),
            pool,
            entry,
            on_error,
            health: Health::default(),
            batches: Health::default(),
            batch_log: LogLimit::default(),
            metrics,
            log: LogLimit::default(),
        })
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its instances.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What has become of the events that it was asked about: those of its name, in this process.
    pub fn counts(&self) -> Counts {
        self.metrics.counts()
    }

    /// How much longer it rests, if it does: it has failed again and again.
    pub fn rests(&self) -> Option<Duration> {
        self.health.rests(Instant::now())
    }

    /// Does to an event what the plugin, or its failure, says.
    fn settle(
        &self,
        place: &mut Option<Event>,
        answer: Result<Answer, Failure>,
    ) -> Result<(), Stopped> {
        let Some(event) = place else { return Ok(()) };
        let garbage = |error: CodecError| {
            CallError::Garbage(format!("an event that cannot be: {error}").into())
        };
        let changed = match answer {
            Ok(Answer::Keep) => Ok(false),
            Ok(Answer::Skip) => {
                self.metrics.skipped.inc();
                *place = None;
                return Ok(());
            }
            Ok(Answer::Change(changed)) => match self.entry {
                Entry::Json(_) => {
                    event.change_json(changed);
                    Ok(true)
                }
                Entry::Protobuf { .. } => {
                    event.change_one_of(changed).map_err(|error| garbage(error).into())
                }
            },
            Ok(Answer::Failed(text)) => Err(CallError::Failed(text.into()).into()),
            Err(failure) => Err(failure),
        };
        match changed {
            Ok(true) => _ = self.metrics.changed.inc(),
            Ok(false) => _ = self.metrics.kept.inc(),
            Err(failure) => return self.failed(place, failure),
        }
        Ok(())
    }

    fn failed(&self, place: &mut Option<Event>, error: Failure) -> Result<(), Stopped> {
        self.metrics.failed.inc();
        let plugin = &*self.name;
        let what = match self.on_error {
            OnError::Pass => "the event goes on unchanged",
            OnError::Drop => "the event is dropped",
            OnError::Stop => return Err(Stopped { plugin: plugin.to_owned(), error }),
        };
        if let Some(unlogged) = self.log.allow() {
            tracing::error!(plugin, unlogged, "the event plugin {error}; {what}");
        }
        if self.on_error == OnError::Drop {
            *place = None;
        }
        Ok(())
    }

    fn unreadable(&self, error: &CodecError) {
        self.metrics.unreadable.inc();
        if let Some(unlogged) = self.log.allow() {
            let plugin = &*self.name;
            tracing::error!(
                plugin,
                unlogged,
                "an event cannot be shown to the plugin and goes on unchanged: {error}"
            );
        }
    }
}

/// The pool that a manifest describes, with what the host lends to event plugins.
pub(crate) fn builder(
    manifest: &Manifest,
    wasm: Vec<u8>,
    services: Services,
    metrics: &PluginMetrics,
    cache: Option<PathBuf>,
) -> PoolBuilder {
    let lent = Arc::new(Lent {
        plugin: manifest.name.as_str().into(),
        services,
        secrets: manifest.secrets.clone(),
        metrics: metrics.clone(),
    });
    let builder = Pool::builder(&manifest.name, wasm)
        .timeout(manifest.timeout)
        .memory(manifest.memory)
        .config(manifest.config.clone())
        .metrics(metrics.clone());
    let builder = match manifest.concurrency {
        Some(concurrency) => builder.concurrency(concurrency),
        None => builder,
    };
    let builder = match cache {
        Some(config) => builder.cache(config),
        None => builder,
    };
    builder.slot_functions(move |state| functions(&lent, state))
}
