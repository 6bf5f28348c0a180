//! Instances of one plugin, called from anywhere, each by one call at a time.
//!
//! A [`Pool`] has slots. A slot is a thread with a WebAssembly engine and an instance of the plugin
//! of its own, so that ending a call that takes too long ends nothing else. After a trap, a timeout
//! or a lack of memory the instance may be in any state: the slot throws it away and makes another.
//!
//! ```no_run
//! use host_events::Pool;
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::builder("greeter", std::fs::read("greeter.wasm")?)
//!     .timeout(Duration::from_secs(2))
//!     .concurrency(4)
//!     .memory(32 << 20)
//!     .build()
//!     .await?;
//! let greeting: String = pool.call("greet", "you").await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod env;
mod error;
mod module;
mod slot;
mod state;
mod stuck;
mod wasi;

pub use builder::PoolBuilder;
pub use error::{BuildError, CallError};
pub use module::Module;
pub use state::SlotState;

use crate::metrics::PluginMetrics;
use crossbeam_channel::Sender;
use extism::{FromBytesOwned, Function, ToBytes};
use slot::Running;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use stuck::{Asker, Stuck};
use tokio::sync::{Semaphore, oneshot};

/// Instances of one plugin. Cheap to clone; the last clone ends the threads, and whatever they run.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    spec: Arc<Spec>,
    jobs: Sender<Job>,
    /// A permit for each call that runs, and as many for calls that wait beside a slot, so that one
    /// need not wait for the scheduler between two.
    permits: Arc<Semaphore>,
    running: Vec<Running>,
    stuck: Arc<Stuck>,
}

/// A call of an export, under way.
pub type Calling<Output> = Pin<Box<dyn Future<Output = Result<Output, CallError>> + Send>>;

/// Makes host functions for a slot.
type MakeFunctions = Arc<dyn Fn(&Arc<SlotState>) -> Vec<Function> + Send + Sync>;

/// What slots are made from.
struct Spec {
    name: Arc<str>,
    wasm: Arc<[u8]>,
    module: Module,
    timeout: Duration,
    memory: u64,
    config: Arc<BTreeMap<String, String>>,
    cache: Option<PathBuf>,
    functions: Vec<MakeFunctions>,
    metrics: PluginMetrics,
}

/// Calls on their way to a slot, one after another: to hand one over costs more than many a call takes.
struct Job {
    export: Arc<str>,
    inputs: Vec<Vec<u8>>,
    /// How many answers there must be to a call. If there are not, or it fails, it is repeated in parts,
    /// so what it did is taken back.
    batch: Option<usize>,
    asker: Asker,
}

/// What came of the calls of a job: of all, or up to one that has spoiled the instance.
type Answers = Vec<Result<Vec<u8>, CallError>>;

impl Pool {
    /// Begins a pool of a module's instances; the name is for logs, metrics and errors.
    pub fn builder(name: &str, wasm: impl Into<Vec<u8>>) -> PoolBuilder {
        PoolBuilder::new(name, wasm.into())
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.shared.spec.name
    }

    /// The functions that the plugin exports.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.shared.spec.module.exports()
    }

    /// Calls an export, and waits for a slot before that if all are busy. What is passed and
    /// returned is whatever Extism can convert: bytes, text, [`extism::convert::Json`] and so on.
    ///
    /// The time that the call may take counts from when it begins to run. To drop the future does
    /// not end a call that runs.
    pub fn call<'a, Output: FromBytesOwned + Send>(
        &self,
        export: &str,
        input: impl ToBytes<'a>,
    ) -> Calling<Output> {
        // Boxed, so that the future knows nothing of the input's lifetime, and can be spawned.
        let input = input.to_bytes().map(|input| input.as_ref().to_vec());
        let (pool, export) = (self.clone(), export.into());
        Box::pin(async move {
            let input = input.map_err(|error| {
                CallError::Garbage(format!("nothing, its input cannot be made: {error}").into())
            })?;
            let output = pool.run(export, input, None).await?;
            Output::from_bytes_owned(&output).map_err(|error| {
                CallError::Garbage(format!("what is not of the type asked for: {error}").into())
            })
        })
    }

    /// Calls an export with bytes. The call for a `batch` of so many events takes back, when it fails,
    /// what it did.
    pub(crate) async fn run(
        &self,
        export: Arc<str>,
        input: Vec<u8>,
        batch: Option<usize>,
    ) -> Result<Vec<u8>, CallError> {
        let answers = self.answers(export, vec![input], batch).await;
        answers.and_then(|mut answers| answers.pop().unwrap_or(Err(CallError::Closed)))
    }

    /// Calls an export for each of some inputs, one after another, in one slot. There is an answer to
    /// each, or to those up to one that has spoiled the instance or with which they are many bytes; to
    /// the first in any case.
    pub(crate) async fn run_each(&self, export: Arc<str>, inputs: Vec<Vec<u8>>) -> Answers {
        match self.answers(export, inputs, None).await {
            Ok(answers) if !answers.is_empty() => answers,
            Ok(_) => vec![Err(CallError::Closed)],
            Err(error) => vec![Err(error)],
        }
    }

    async fn answers(
        &self,
        export: Arc<str>,
        inputs: Vec<Vec<u8>>,
        batch: Option<usize>,
    ) -> Result<Answers, CallError> {
        let permit = self.shared.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| CallError::Closed)?;
        let (reply, answers) = oneshot::channel();
        let job = Job { export, inputs, batch, asker: Asker::new(permit, reply) };
        self.shared.jobs.send(job).map_err(|_| CallError::Closed)?;
        self.shared.stuck.answer_if_all_are();
        answers.await.map_err(|_| CallError::Closed)
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.shared.spec.timeout
    }

    /// The bytes that an instance may have.
    pub fn memory(&self) -> u64 {
        self.shared.spec.memory
    }

    /// How many slots there are.
    pub fn concurrency(&self) -> usize {
        self.shared.running.len()
    }

    /// How many of them have a call to run.
    pub fn busy(&self) -> usize {
        let slots = self.concurrency();
        // A permit is for a call that runs, or for one that waits beside a slot.
        (2 * slots).saturating_sub(self.shared.permits.available_permits()).min(slots)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for running in &self.running {
            if let Some(handle) = &*running.lock().unwrap_or_else(PoisonError::into_inner) {
                let _ = handle.cancel();
            }
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let concurrency = self.concurrency();
        f.debug_struct("Pool")
            .field("plugin", &self.name())
            .field("concurrency", &concurrency)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns 400 KiB.
    const LARGE: &str = r#"
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (func (export "large") (result i32)
    (call $output (call $alloc (i64.const 409600)) (i64.const 409600))
    (i32.const 0)))"#;

    /// Who works them off then asks about the rest.
    #[tokio::test(flavor = "multi_thread")]
    async fn answers_that_are_many_bytes_are_handed_over_before_there_are_more() {
        let builder = Pool::builder("large", wat::parse_str(LARGE).unwrap()).concurrency(1);
        let pool = builder.build().await.unwrap();
        let answers = pool.run_each("large".into(), vec![Vec::new(); 10]).await;
        assert_eq!(answers.len(), 3);
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|it| it.len() == 409_600)));
    }
}
