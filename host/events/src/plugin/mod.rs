//! One event plugin: its pool, how it is asked, and what happens when it fails.

mod entry;
mod health;
mod manifest;
mod message;

pub use manifest::{Manifest, OnError};
pub use message::Answer;

use crate::codec::CodecError;
use crate::event::Event;
use crate::functions::{Lent, Services, functions};
use crate::log_limit::LogLimit;
use crate::metrics::{Metrics, PluginMetrics};
use crate::pool::{BuildError, CallError, Pool, PoolBuilder};
use bytes::Bytes;
use entry::Entry;
use health::Health;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many events go into one call at most, and so many bytes of them: a call ends soon enough that
/// no event waits long behind others.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 256 << 10;

/// An event plugin, ready to be asked.
pub struct EventPlugin {
    name: Arc<str>,
    pool: Pool,
    entry: Entry,
    on_error: OnError,
    health: Health,
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

    /// Asks the plugin about events; those that it skips are `None` afterwards. Each keeps its
    /// place. Many go into one call if the plugin can take that.
    pub async fn handle(&self, events: &mut [Option<Event>]) -> Result<(), Stopped> {
        match &self.entry {
            Entry::Json(export) => {
                for place in events {
                    let Some(event) = place else { continue };
                    let answer = self.ask(export, event.json().to_vec(), None).await;
                    let answer = answer.and_then(|json| read_json(json, event));
                    self.settle(place, answer)?;
                }
            }
            Entry::Protobuf { one, many: None } => {
                for place in events {
                    self.handle_one(one, place).await?;
                }
            }
            Entry::Protobuf { one, many: Some(many) } => {
                let mut rest = events;
                while !rest.is_empty() {
                    let mut input = Vec::new();
                    let count = self.fill(rest, &mut input);
                    let (batch, behind) = rest.split_at_mut(count);
                    match batch {
                        [place] => self.handle_one(one, place).await?,
                        batch => self.handle_batch(one, many, batch, input).await?,
                    }
                    rest = behind;
                }
            }
        }
        Ok(())
    }

    async fn handle_one(&self, one: &Arc<str>, place: &mut Option<Event>) -> Result<(), Stopped> {
        let Some(one_of) = self.one_of(place) else { return Ok(()) };
        let mut input = Vec::with_capacity(one_of.len() + 8);
        message::encode_request(&one_of, &mut input);
        let answer = self.ask(one, input, None).await;
        let answer = answer.and_then(|response| decode(&response, &one_of));
        self.settle(place, answer)
    }

    /// One call for many events; if it fails, a call for each of them.
    async fn handle_batch(
        &self,
        one: &Arc<str>,
        many: &Arc<str>,
        batch: &mut [Option<Event>],
        input: Vec<u8>,
    ) -> Result<(), Stopped> {
        if input.is_empty() {
            return Ok(());
        }
        let asked = batch.iter_mut().flatten().filter_map(|event| event.one_of().ok()).count();
        let answers = match self.ask(many, input, Some(asked)).await {
            Ok(output) => decode_batch(&output, batch),
            Err(failure) => Err(failure),
        };
        match answers {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for place in batch {
                    let asked = place.as_mut().is_some_and(|event| event.one_of().is_ok());
                    if let Some(answer) = asked.then(|| answers.next()).flatten() {
                        self.settle(place, answer)?;
                    }
                }
            }
            Err(_) => {
                for place in batch {
                    self.handle_one(one, place).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes requests for as many events as one call takes; says how many places that are.
    fn fill(&self, events: &mut [Option<Event>], input: &mut Vec<u8>) -> usize {
        let mut asked = 0;
        for (index, place) in events.iter_mut().enumerate() {
            if asked == BATCH || input.len() >= BATCH_BYTES {
                return index;
            }
            if let Some(one_of) = self.one_of(place) {
                message::encode_delimited(&one_of, input);
                asked += 1;
            }
        }
        events.len()
    }

    /// The event in protobuf. What has no such form goes on as it is: no plugin can be asked.
    fn one_of(&self, place: &mut Option<Event>) -> Option<Bytes> {
        match place.as_mut()?.one_of() {
            Ok(one_of) => Some(one_of.clone()),
            Err(error) => {
                self.unreadable(&error);
                None
            }
        }
    }

    async fn ask(
        &self,
        export: &Arc<str>,
        input: Vec<u8>,
        batch: Option<usize>,
    ) -> Result<Vec<u8>, Failure> {
        let begin = Instant::now();
        if let Some(rest) = self.health.rests(begin) {
            return Err(Failure::Resting(rest));
        }
        let output = self.pool.run(export.clone(), input, batch).await;
        self.metrics.call_took(begin.elapsed());
        match &output {
            Err(error) if batch.is_none() && error.is_costly() => {
                if let Some(rest) = self.health.failed(Instant::now()) {
                    tracing::error!(
                        plugin = &*self.name,
                        "an event plugin fails again and again and rests for {rest:?}"
                    );
                }
            }
            Err(_) => {}
            Ok(_) => self.health.succeeded(),
        }
        Ok(output?)
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

fn garbage(what: impl Into<Arc<str>>) -> Failure {
    CallError::Garbage(what.into()).into()
}

fn decode(response: &[u8], one_of: &[u8]) -> Result<Answer, Failure> {
    Answer::decode(response, one_of).map_err(garbage)
}

/// Reads the answers to the events of a batch that were asked about.
fn decode_batch(
    output: &[u8],
    batch: &mut [Option<Event>],
) -> Result<Vec<Result<Answer, Failure>>, Failure> {
    let mut rest = output;
    let mut answers = Vec::with_capacity(batch.len());
    for event in batch.iter_mut().flatten() {
        let Ok(one_of) = event.one_of() else { continue };
        let response = message::delimited(&mut rest).map_err(garbage)?;
        answers.push(decode(response, one_of));
    }
    Ok(answers)
}

/// Reads what a JSON plugin returned.
fn read_json(json: Vec<u8>, event: &Event) -> Result<Answer, Failure> {
    if json.is_empty() {
        return Ok(Answer::Skip);
    }
    if json == event.json()[..] {
        return Ok(Answer::Keep);
    }
    let object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&json);
    match object {
        Ok(_) => Ok(Answer::Change(json.into())),
        Err(error) => Err(garbage(format!("no JSON object: {error}"))),
    }
}
