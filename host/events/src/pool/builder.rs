//! How a pool is made.

use super::error::{BuildError, CallError};
use super::module::Module;
use super::slot::Slot;
use super::state::SlotState;
use super::stuck::Stuck;
use super::{MakeFunctions, Pool, Shared, Spec};
use crate::functions::{Space, counting};
use crate::metrics::PluginMetrics;
use crate::store::Store;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use extism::Function;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::Builder as Thread;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The namespace of functions that name none.
const USER: &str = "extism:host/user";

/// What a module runs to begin with gets so long at least, on whatever machine.
const START: Duration = Duration::from_secs(5);

/// What a [`Pool`] will be.
pub struct PoolBuilder {
    name: String,
    wasm: Vec<u8>,
    timeout: Duration,
    concurrency: usize,
    memory: u64,
    config: BTreeMap<String, String>,
    cache: Option<PathBuf>,
    functions: Vec<MakeFunctions>,
    metrics: PluginMetrics,
}

impl PoolBuilder {
    /// A call may take two seconds unless it is told otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(2);
    /// So many instances there may be.
    pub const MOST: usize = 1024;
    /// An instance may have 64 MiB unless it is told otherwise.
    pub const MEMORY: u64 = 64 << 20;

    pub(super) fn new(name: &str, wasm: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            wasm,
            timeout: Self::TIMEOUT,
            concurrency: std::thread::available_parallelism().map_or(2, NonZero::get),
            memory: Self::MEMORY,
            config: BTreeMap::new(),
            cache: None,
            functions: Vec::new(),
            metrics: PluginMetrics::default(),
        }
    }

    /// How long a call may take. Then it is ended and its instance thrown away.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many instances there are, at most [`Self::MOST`]: as many calls run at a time. The number of
    /// processors, unless it is told otherwise.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.clamp(1, Self::MOST);
        self
    }

    /// How many bytes an instance may have, Extism's own memory for input and output included. What a
    /// module takes to begin with is not counted by the SDK.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// What the plugin reads with its PDK's `config` functions.
    #[must_use]
    pub fn config(mut self, config: BTreeMap<String, String>) -> Self {
        self.config = config;
        self
    }

    /// A TOML file of wasmtime's that says where compiled code is kept. None is kept without.
    /// Whoever can write there can run code in this process.
    #[must_use]
    pub fn cache(mut self, config: PathBuf) -> Self {
        self.cache = Some(config);
        self
    }

    /// Lends host functions. Each names its namespace ([`Function::with_namespace`]), or is in
    /// `extism:host/user`. They run on the thread of the call, which cannot be ended in time while
    /// they do: keep them short.
    #[must_use]
    pub fn functions(self, functions: impl IntoIterator<Item = Function>) -> Self {
        let functions: Vec<_> = functions.into_iter().collect();
        self.slot_functions(move |_| functions.clone())
    }

    /// Lends a store, by the functions that event plugins have for it (`store_…`, `clock_now`,
    /// `random_seed`). What is stored belongs to `space`; its values may take half of the store.
    #[must_use]
    pub fn store(self, store: Arc<dyn Store>, space: &str) -> Self {
        let space = Space { store, name: space.into() };
        self.slot_functions(move |state| counting(&space, state))
    }

    /// Lends host functions that belong to a slot.
    #[must_use]
    pub(crate) fn slot_functions(
        mut self,
        make: impl Fn(&Arc<SlotState>) -> Vec<Function> + Send + Sync + 'static,
    ) -> Self {
        self.functions.push(Arc::new(make));
        self
    }

    /// Where the plugin's calls are counted.
    #[must_use]
    pub(crate) fn metrics(mut self, metrics: PluginMetrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Compiles the module and makes all instances. An error says what the module lacks.
    pub async fn build(self) -> Result<Pool, BuildError> {
        let refused =
            |plugin: &str, reason: String| BuildError::Module { plugin: plugin.to_owned(), reason };
        let module = Module::read(&self.wasm).map_err(|reason| refused(&self.name, reason))?;
        let state = Arc::default();
        let lent: Vec<_> = self.functions.iter().flat_map(|make| make(&state)).collect();
        let lent = lent.iter().map(|it| (it.namespace().unwrap_or(USER), it.name()));
        if let Some(import) = module.unmet(lent) {
            let reason = format!("imports {import}, which this host does not lend to it");
            return Err(refused(&self.name, reason));
        }
        let spec = Arc::new(Spec {
            name: self.name.into(),
            wasm: self.wasm.into(),
            module,
            timeout: self.timeout,
            memory: self.memory,
            config: Arc::new(self.config),
            cache: self.cache,
            functions: self.functions,
            metrics: self.metrics,
        });
        let concurrency = self.concurrency;
        let starting = spec.clone();
        let started = tokio::task::spawn_blocking(move || start(starting, concurrency)).await;
        let started = started.unwrap_or(Err(CallError::Closed));
        let shared = started.map_err(|error| refused(&spec.name, error.to_string()))?;
        Ok(Pool { shared: Arc::new(shared) })
    }
}

/// Starts the slots: the first alone, so that the others find its code in the cache.
fn start(spec: Arc<Spec>, concurrency: usize) -> Result<Shared, CallError> {
    let (jobs, queue) = crossbeam_channel::unbounded();
    let limit = spec.timeout.max(START);
    let stuck = Stuck::new(spec.name.clone(), concurrency, queue.clone(), limit);
    let mut shared = Shared {
        spec,
        jobs,
        permits: Arc::new(Semaphore::new(2 * concurrency)),
        running: Vec::new(),
        stuck: stuck.clone(),
    };
    ready(&shared.start_slot(&queue)?, &stuck)?;
    let others: Vec<_> =
        (1..concurrency).map(|_| shared.start_slot(&queue)).collect::<Result<_, _>>()?;
    others.iter().try_for_each(|slot| ready(slot, &stuck))?;
    Ok(shared)
}

/// Told twice: when the module is compiled, and when there is an instance.
type Ready = Receiver<Result<(), CallError>>;

/// Waits for a slot: without limit for the compiler, but not for what the module itself runs to
/// begin with. Extism has no timeout for that, so a slot that does not come back is given up.
fn ready(slot: &Ready, stuck: &Stuck) -> Result<(), CallError> {
    slot.recv().unwrap_or(Err(CallError::Closed))?;
    match slot.recv_timeout(stuck.limit) {
        Ok(instantiated) => instantiated,
        Err(RecvTimeoutError::Disconnected) => Err(CallError::Closed),
        Err(RecvTimeoutError::Timeout) => Err(stuck.error()),
    }
}

impl Shared {
    fn start_slot(&mut self, queue: &Receiver<super::Job>) -> Result<Ready, CallError> {
        let (ready, readiness) = crossbeam_channel::bounded(2);
        let running = super::Running::default();
        self.running.push(running.clone());
        let (spec, queue, stuck) = (self.spec.clone(), queue.clone(), self.stuck.clone());
        let thread = Thread::new().name(format!("plugin {}", self.spec.name));
        let spawned = thread.spawn(move || Slot::run(spec, running, &queue, &ready, &stuck));
        spawned.map_err(|error| CallError::Instance(format!("no thread: {error}").into()))?;
        Ok(readiness)
    }
}
