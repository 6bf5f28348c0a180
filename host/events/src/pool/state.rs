//! What one slot and its host functions share during a call.

use crate::functions::Refusal;
use crate::guest::Known;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state of a slot: its thread sets it up before a call, host functions fill it, and the thread
/// takes out what is there when the call is over. Never contended: a slot runs one call at a time.
#[derive(Default)]
pub struct SlotState(Mutex<Call>);

/// Run when a call that is to be repeated has failed, to take back what it did.
pub(crate) type Undo = Box<dyn FnOnce() + Send>;
/// Run when a call has ended and will not be repeated.
pub(crate) type Effect = Box<dyn FnOnce() + Send>;

/// What a call leaves behind.
#[derive(Default)]
pub(crate) struct Call {
    pub(crate) output: Vec<u8>,
    pub(crate) error: Option<String>,
    undo: Vec<Undo>,
    effects: Vec<Effect>,
    may_be_repeated: bool,
    /// What is known of the instance's memory; as long as it lives.
    pub(crate) known: Known,
    /// Extism's variables; they live as long as the instance.
    pub(crate) variables: BTreeMap<String, Vec<u8>>,
}

/// So many things a call may do that are to be remembered until it ends: it could otherwise fill the
/// host's memory with them.
const MOST: usize = 4096;

impl Call {
    /// Remembers how to take something back, if that may be needed.
    pub(crate) fn may_undo(&mut self, undo: Undo) -> Result<(), Refusal> {
        if self.may_be_repeated {
            Self::remember(self.undo.len())?;
            self.undo.push(undo);
        }
        Ok(())
    }

    /// Remembers what to do when the call has ended.
    pub(crate) fn later(&mut self, effect: Effect) -> Result<(), Refusal> {
        Self::remember(self.effects.len())?;
        self.effects.push(effect);
        Ok(())
    }

    fn remember(already: usize) -> Result<(), Refusal> {
        if already < MOST {
            return Ok(());
        }
        Err(Refusal(format!("one call may take {MOST} tokens and send {MOST} alerts, no more")))
    }
}

impl SlotState {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the last call, not the variables.
    pub(super) fn begin(&self, may_be_repeated: bool) {
        let mut call = self.lock();
        call.may_be_repeated = may_be_repeated;
        call.output.clear();
        call.error = None;
        call.undo.clear();
        call.effects.clear();
    }

    /// The instance is new: its variables are too.
    pub(super) fn forget(&self) {
        *self.lock() = Call::default();
    }

    /// Takes back what a failed call did, for it will be repeated.
    pub(super) fn take_back(&self) {
        let (undo, effects) = {
            let mut call = self.lock();
            (std::mem::take(&mut call.undo), std::mem::take(&mut call.effects))
        };
        drop(effects);
        for undo in undo.into_iter().rev() {
            undo();
        }
    }

    /// Lets what a call did, so far, take effect.
    pub(crate) fn settle(&self) {
        let effects = std::mem::take(&mut self.lock().effects);
        for effect in effects {
            effect();
        }
    }
}
