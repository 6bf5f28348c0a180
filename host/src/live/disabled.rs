//! What an operator has disabled: by the key of its declaration, so that whatever takes its place is
//! disabled as well, in this process, in one that takes over, and in the next run. [`super::marks`] tells
//! which key that is.

use super::Live;
use super::declared::Key;
use super::set::{Set, Slot};
use host_proxy::{Stage, State};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Why a plugin is disabled that an operator has disabled.
const BY_OPERATOR: &str = "by an operator";

/// The keys of what is not to be called.
pub(super) type Disabled = BTreeSet<Key>;

impl Set {
    /// Disables what is to be, and enables what is not any more. Of a set that is in use, or about to be.
    pub(super) fn switch(&self, disabled: &Disabled) {
        for slot in &self.slots {
            let switched = match (disabled.contains(&slot.key), slot.is_disabled()) {
                (true, false) => slot.stage.disable(BY_OPERATOR),
                (false, true) => slot.stage.enable(),
                _ => Ok(()),
            };
            if let Err(error) = switched {
                tracing::error!("{}: {error}", slot.key);
            }
        }
    }
}

impl Slot {
    /// Whether an operator has disabled it; a breaker's is another matter.
    pub(super) fn is_disabled(&self) -> bool {
        let (state, _, reason) = self.stage.life.now();
        state == State::Disabled && reason == BY_OPERATOR
    }
}

impl Live {
    /// Calls a plugin no more. The caller has the turn.
    pub(super) fn disable(&self, stage: &Arc<Stage>) -> Result<(), String> {
        stage.disable(BY_OPERATOR)?;
        self.mark(stage, BTreeSet::insert);
        Ok(())
    }

    /// Calls it again. The caller has the turn.
    pub(super) fn enable(&self, stage: &Arc<Stage>) -> Result<(), String> {
        stage.enable()?;
        self.mark(stage, |disabled, key| disabled.remove(&key));
        Ok(())
    }

    fn mark(&self, stage: &Arc<Stage>, mark: impl FnOnce(&mut Disabled, Key) -> bool) {
        let mut now = self.lock();
        let slot = now.set.slots.iter().find(|slot| Arc::ptr_eq(&slot.stage, stage));
        let changed =
            slot.map(|slot| slot.key.clone()).is_some_and(|it| mark(&mut now.disabled, it));
        drop(now);
        if changed {
            self.remember(false);
        }
    }
}
