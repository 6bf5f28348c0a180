//! A slot: a thread, an engine, and the instance that runs on it.

use super::error::CallError;
use super::state::SlotState;
use super::stuck::Stuck;
use super::{Answers, Job, Spec, env, wasi};
use crate::functions::Refusal;
use crate::guest::Known;
use crossbeam_channel::{Receiver, Sender};
use extism::{CancelHandle, CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Wasmtime's unit of memory, in bytes.
const PAGE: u64 = 64 << 10;

/// After a call of this the SDK makes another instance by itself.
const START: &str = "_start";

/// Answers of a job from which on they are handed over, in bytes.
const ANSWERS: usize = 1 << 20;

/// How the SDK says that a module has no such function.
const NOT_FOUND: &str = "Function not found";

/// One slot of a pool. It has an engine of its own: to end a call in time bumps the engine's epoch,
/// which ends every call that runs on it.
pub(super) struct Slot {
    spec: Arc<Spec>,
    compiled: CompiledPlugin,
    state: Arc<SlotState>,
    instance: Option<Plugin>,
    running: Running,
}

/// What ends the call that a slot is running.
pub(super) type Running = Arc<Mutex<Option<CancelHandle>>>;

impl Slot {
    /// Compiles the module.
    fn new(spec: Arc<Spec>, running: Running) -> Result<Self, CallError> {
        let state = Arc::new(SlotState::default());
        let mut functions = env::functions(&spec.name, &spec.config, &state);
        if spec.module.wasi {
            functions.extend(wasi::functions());
        }
        functions.extend(spec.functions.iter().flat_map(|make| make(&state)));
        let pages = u32::try_from(spec.memory.div_ceil(PAGE)).unwrap_or(u32::MAX);
        let manifest = Manifest::new([Wasm::data(spec.wasm.as_ref())])
            .with_timeout(spec.timeout)
            .with_memory_max(pages);
        let builder =
            PluginBuilder::new(manifest).with_wasi(spec.module.wasi).with_functions(functions);
        let builder = match &spec.cache {
            Some(config) => builder.with_cache_config(config),
            None => builder.with_cache_disabled(),
        };
        let compiled = builder.compile().map_err(|error| no_instance(&error))?;
        Ok(Self { spec, compiled, state, instance: None, running })
    }

    /// Runs calls until there can be no more. Says first whether the module compiles, then whether
    /// an instance of it can be made.
    pub(super) fn run(
        spec: Arc<Spec>,
        running: Running,
        jobs: &Receiver<Job>,
        ready: &Sender<Result<(), CallError>>,
        stuck: &Arc<Stuck>,
    ) {
        let _running = stuck.unless_it_ends();
        let mut slot = match Self::new(spec, running) {
            Ok(slot) => slot,
            Err(error) => return drop(ready.send(Err(error))),
        };
        let _ = ready.send(Ok(()));
        let first = slot.make_instance();
        if first.is_err() {
            return drop(ready.send(first));
        }
        let _ = ready.send(Ok(()));
        for job in jobs {
            if job.asker.has_left() {
                continue;
            }
            let made = match slot.instance {
                Some(_) => Ok(()),
                None => stuck.watch(&job.asker, || slot.make_instance()),
            };
            let answers = match made {
                // That took too long: somebody else has answered, and perhaps asked again.
                _ if job.asker.has_left() => continue,
                Ok(()) => slot.answer(&job),
                Err(error) => vec![Err(error)],
            };
            job.asker.answer(answers);
        }
    }

    /// Makes an instance. To panic is a host function's mistake, and no slot's end.
    fn make_instance(&mut self) -> Result<(), CallError> {
        let made = catch_unwind(AssertUnwindSafe(|| {
            let mut instance = Plugin::new_from_compiled(&self.compiled)?;
            instantiate(&mut instance).map(|()| instance)
        }));
        let made = made.unwrap_or_else(|_| Err(extism::Error::msg("a host function panicked")));
        let instance = made.map_err(|error| no_instance(&error))?;
        let handle = Some(instance.cancel_handle());
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = handle;
        self.instance = Some(instance);
        Ok(())
    }

    /// Runs the calls of a job, as long as somebody waits for them. After one that has spoiled the
    /// instance nothing is tried: whoever has asked may think better of it. Nor is it when the answers
    /// have a size that should be worked off first.
    fn answer(&mut self, job: &Job) -> Answers {
        let mut answers = Vec::with_capacity(job.inputs.len());
        let mut size = 0;
        for input in &job.inputs {
            let answer = self.call(job, input);
            let spoils = answer.as_ref().is_err_and(CallError::spoils);
            size += answer.as_ref().map_or(0, Vec::len);
            answers.push(answer);
            if spoils || size > ANSWERS || job.asker.has_left() {
                break;
            }
        }
        answers
    }

    fn call(&mut self, job: &Job, input: &[u8]) -> Result<Vec<u8>, CallError> {
        let begin = Instant::now();
        self.state.begin(job.batch.is_some());
        let called = catch_unwind(AssertUnwindSafe(|| self.call_instance(&job.export, input)));
        let answer =
            called.unwrap_or_else(|_| Err(CallError::Trap("a host function panicked".into())));
        self.spec.metrics.call_took(begin.elapsed());
        let answer = answer.and_then(|output| match job.batch {
            Some(count) if answers(&output) != Some(count) => {
                Err(CallError::Garbage("another number of answers than it was asked for".into()))
            }
            _ => Ok(output),
        });
        if answer.as_ref().is_err_and(CallError::spoils) {
            *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.instance = None;
            self.spec.metrics.discarded();
        }
        if answer.is_err() && job.batch.is_some() {
            self.state.take_back();
        } else {
            self.state.settle();
        }
        if self.instance.is_none() {
            self.state.forget();
        } else if &*job.export == START {
            self.state.lock().known = Known::default();
        }
        answer
    }

    fn call_instance(&mut self, export: &Arc<str>, input: &[u8]) -> Result<Vec<u8>, CallError> {
        // There is one: a job ends with the call that has spoiled it.
        let instance = self.instance.as_mut().ok_or(CallError::Closed)?;
        let result = instance.call::<&[u8], ()>(&**export, input);
        let mut call = self.state.lock();
        let said = call.error.take();
        match (result, said) {
            (Ok(()), None) => Ok(std::mem::take(&mut call.output)),
            (Ok(()), Some(said)) => Err(CallError::Failed(said.into())),
            (Err(error), said) => Err(self.classify(&error, said, export)),
        }
    }

    /// The SDK has texts where it could have an enum; the tests hold it to them.
    fn classify(
        &self,
        error: &extism::Error,
        said: Option<String>,
        export: &Arc<str>,
    ) -> CallError {
        let text = error.to_string();
        match text.as_str() {
            "timeout" => return CallError::Timeout(self.spec.timeout),
            "oom" => return CallError::OutOfMemory(self.spec.memory),
            _ if text.starts_with(NOT_FOUND) => {
                return CallError::NoExport(export.clone());
            }
            _ => {}
        }
        if let Some(code) = text.strip_prefix("Returned non-zero exit code: ") {
            let silent = || format!("returned {code} without saying why");
            return CallError::Failed(said.unwrap_or_else(silent).into());
        }
        if let Some(refusal) = error.chain().find_map(|cause| cause.downcast_ref::<Refusal>()) {
            return CallError::Refused(refusal.to_string().into());
        }
        CallError::Trap(said.unwrap_or_else(|| error.root_cause().to_string()).into())
    }
}

fn no_instance(error: &extism::Error) -> CallError {
    CallError::Instance(format!("{error:#}").into())
}

/// How many messages there are, each with its length before it.
fn answers(mut output: &[u8]) -> Option<usize> {
    let mut count = 0;
    while !output.is_empty() {
        let length = usize::try_from(prost::encoding::decode_varint(&mut output).ok()?).ok()?;
        output = output.get(length..)?;
        count += 1;
    }
    Some(count)
}

/// Runs what a module runs before its first call. The SDK does so in a call, after which it looks
/// for the function: so one is called that no module exports.
fn instantiate(instance: &mut Plugin) -> Result<(), extism::Error> {
    const NONE: &str = "\0";
    match instance.call::<&[u8], ()>(NONE, &[]) {
        Err(error) if !error.to_string().starts_with(NOT_FOUND) => Err(error),
        _ => Ok(()),
    }
}
