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
use crate::metrics::{Counts, Metrics, PluginMetrics};
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
/// So many calls are handed to a slot at a time where each event has one of its own.
const CALLS: usize = 64;

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

    /// What has become of the events that it was asked about: those of its name, in this process.
    pub fn counts(&self) -> Counts {
        self.metrics.counts()
    }

    /// How much longer it rests, if it does: it has failed again and again.
    pub fn rests(&self) -> Option<Duration> {
        self.health.rests(Instant::now())
    }

    /// Asks the plugin about events; those that it skips are `None` afterwards. Each keeps its
    /// place. Many go into one call if the plugin can take that.
    pub async fn handle(&self, events: &mut [Option<Event>]) -> Result<(), Stopped> {
        match &self.entry {
            Entry::Json(one) | Entry::Protobuf { one, many: None } => {
                self.handle_each(one, events).await?;
            }
            Entry::Protobuf { one, many: Some(many) } => {
                let mut rest = events;
                while !rest.is_empty() {
                    let mut input = Vec::new();
                    let count = self.fill(rest, &mut input);
                    let (batch, behind) = rest.split_at_mut(count);
                    match batch {
                        [_] => self.handle_each(one, batch).await?,
                        batch => self.handle_batch(one, many, batch, input).await?,
                    }
                    rest = behind;
                }
            }
        }
        Ok(())
    }

    /// A call for each event, in the order of the events.
    async fn handle_each(
        &self,
        one: &Arc<str>,
        mut events: &mut [Option<Event>],
    ) -> Result<(), Stopped> {
        while !events.is_empty() {
            let inputs = events.iter_mut().filter_map(|place| self.input(place).ok().flatten());
            let inputs: Vec<_> = inputs.take(CALLS).collect();
            let mut answers = match inputs.is_empty() {
                true => Vec::new(),
                false => self.ask_each(one, inputs).await,
            }
            .into_iter();
            let mut done = 0;
            for place in &mut *events {
                match self.is_asked(place) {
                    // What has no form that the plugin could be asked about goes on as it is.
                    Err(error) => self.unreadable(&error),
                    Ok(false) => {}
                    Ok(true) => {
                        let Some(answer) = answers.next() else { break };
                        let answer = answer.and_then(|output| self.read(output, place));
                        self.settle(place, answer)?;
                    }
                }
                done += 1;
            }
            events = &mut events[done..];
        }
        Ok(())
    }

    /// What the plugin is asked about an event, unless there is none.
    fn input(&self, place: &mut Option<Event>) -> Result<Option<Vec<u8>>, CodecError> {
        let Some(event) = place else { return Ok(None) };
        if let Entry::Json(_) = self.entry {
            return Ok(Some(event.json().to_vec()));
        }
        let one_of = event.one_of()?;
        let mut input = Vec::with_capacity(one_of.len() + 8);
        message::encode_request(one_of, &mut input);
        Ok(Some(input))
    }

    /// Whether [`Self::input`] has something.
    fn is_asked(&self, place: &mut Option<Event>) -> Result<bool, CodecError> {
        match (place, &self.entry) {
            (None, _) => Ok(false),
            (Some(_), Entry::Json(_)) => Ok(true),
            (Some(event), Entry::Protobuf { .. }) => event.one_of().map(|_| true),
        }
    }

    /// What the plugin has answered.
    fn read(&self, output: Vec<u8>, place: &mut Option<Event>) -> Result<Answer, Failure> {
        let Some(event) = place else { return Ok(Answer::Skip) };
        match self.entry {
            Entry::Json(_) => read_json(output, event),
            Entry::Protobuf { .. } => match event.one_of() {
                Ok(one_of) => decode(&output, one_of),
                Err(error) => Err(garbage(error.to_string())),
            },
        }
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
        let answers = match self.ask_batch(many, input, asked).await {
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
            Err(_) => self.handle_each(one, batch).await?,
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

    /// One call about many events.
    async fn ask_batch(
        &self,
        export: &Arc<str>,
        input: Vec<u8>,
        count: usize,
    ) -> Result<Vec<u8>, Failure> {
        let begin = Instant::now();
        if let Some(rest) = self.health.rests(begin) {
            return Err(Failure::Resting(rest));
        }
        let output = self.pool.run(export.clone(), input, Some(count)).await;
        self.metrics.call_took(begin.elapsed());
        if output.is_ok() {
            self.health.succeeded();
        }
        Ok(output?)
    }

    /// A call for each input. There are answers to those up to one that has spoiled the instance, and to
    /// the first in any case.
    async fn ask_each(
        &self,
        export: &Arc<str>,
        inputs: Vec<Vec<u8>>,
    ) -> Vec<Result<Vec<u8>, Failure>> {
        let begin = Instant::now();
        if let Some(rest) = self.health.rests(begin) {
            return inputs.iter().map(|_| Err(Failure::Resting(rest))).collect();
        }
        let answers = self.pool.run_each(export.clone(), inputs).await;
        let took = begin.elapsed() / u32::try_from(answers.len()).unwrap_or(1);
        for answer in &answers {
            self.metrics.call_took(took);
            match answer {
                Err(error) if error.is_costly() => {
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
        }
        answers.into_iter().map(|answer| answer.map_err(Failure::from)).collect()
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
