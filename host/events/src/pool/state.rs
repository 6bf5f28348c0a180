//! What one slot and its host functions share during a call.

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
    pub(crate) undo: Vec<Undo>,
    pub(crate) effects: Vec<Effect>,
    /// Extism's variables; they live as long as the instance.
    pub(crate) variables: BTreeMap<String, Vec<u8>>,
}

impl SlotState {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the last call, not the variables.
    pub(super) fn begin(&self) {
        let mut call = self.lock();
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
        undo.into_iter().rev().for_each(|undo| undo());
    }

    /// Lets what a call did, so far, take effect.
    pub(crate) fn settle(&self) {
        let effects = std::mem::take(&mut self.lock().effects);
        effects.into_iter().for_each(|effect| effect());
    }
}
