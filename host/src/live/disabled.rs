//! What an operator has disabled: by the key of its declaration, so that whatever takes its place is
//! disabled as well, in this process, in one that takes over, and in the next run. A plugin that goes on
//! under another key, as the second of a list when the first is taken out, takes its mark along.

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

/// What is disabled once `next` has taken the place of `present`.
pub(super) fn carried(disabled: &Disabled, present: &Set, next: &Set) -> Disabled {
    let stages = |set: &Set| -> Vec<(Key, *const Stage)> {
        set.slots.iter().map(|slot| (slot.key.clone(), Arc::as_ptr(&slot.stage))).collect()
    };
    carried_over(disabled, &stages(present), &stages(next))
}

/// A mark goes where the plugin is; if that is replaced, to the next new one of the same path.
fn carried_over<T: PartialEq>(
    disabled: &Disabled,
    present: &[(Key, T)],
    next: &[(Key, T)],
) -> Disabled {
    let has = |set: &[(Key, T)], it: &T| set.iter().any(|(_, other)| other == it);
    let mut new: Vec<&Key> =
        next.iter().filter(|(_, it)| !has(present, it)).map(|(key, _)| key).collect();
    let mut heirs: Vec<(&Key, &Key)> = Vec::new();
    for (key, it) in present {
        let same = next.iter().find(|(_, other)| other == it).map(|(key, _)| key);
        let heir = same.or_else(|| {
            let is_of_path = |new: &&Key| (&new.place, &new.asked) == (&key.place, &key.asked);
            Some(new.remove(new.iter().position(is_of_path)?))
        });
        heirs.extend(heir.map(|heir| (key, heir)));
    }
    // Of what is not there, since its file is gone, the mark waits at its key.
    let waits = |key: &&Key| !heirs.iter().any(|(from, to)| from == key || to == key);
    let moved = heirs.iter().filter(|(from, _)| disabled.contains(*from)).map(|(_, to)| *to);
    disabled.iter().filter(waits).chain(moved).cloned().collect()
}

impl Slot {
    /// Whether an operator has disabled it; a breaker's is another matter.
    fn is_disabled(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(path: &str, nth: usize) -> Key {
        Key { place: "pre".to_owned(), asked: path.into(), nth }
    }

    /// What is disabled of `next`, if these of `present` were: plugins of one path, each by its name.
    fn after(disabled: &[usize], present: &[&str], next: &[&str]) -> Vec<usize> {
        let keys = |names: &[&str]| -> Vec<(Key, String)> {
            let keys = (0..names.len()).map(|nth| key("a.so", nth));
            keys.zip(names.iter().map(|name| (*name).to_owned())).collect()
        };
        let disabled = disabled.iter().map(|nth| key("a.so", *nth)).collect();
        let carried = carried_over(&disabled, &keys(present), &keys(next));
        carried.into_iter().map(|key| key.nth).collect()
    }

    #[test]
    fn a_mark_goes_where_the_plugin_goes() {
        assert_eq!(after(&[0], &["a", "b"], &["b", "a"]), [1]);
        assert_eq!(after(&[1], &["a", "b"], &["b"]), [0]);
        assert_eq!(after(&[0], &["a"], &["new", "a"]), [1]);
        assert_eq!(after(&[0], &["a", "b"], &["b"]), [0; 0], "it is gone");
        assert_eq!(after(&[0, 1], &["a", "b"], &["b", "a"]), [0, 1]);
        assert_eq!(after(&[0, 1], &["a", "b", "c"], &["c", "b", "a"]), [1, 2]);
    }

    #[test]
    fn a_mark_stays_in_what_replaces_the_plugin() {
        assert_eq!(after(&[0], &["a"], &["new"]), [0]);
        assert_eq!(after(&[0], &["a", "b"], &["b", "new"]), [1]);
        assert_eq!(after(&[1], &["a", "b"], &["a", "new"]), [1]);
        assert_eq!(after(&[0], &["a"], &[]), [0], "its file may come back");
        assert_eq!(after(&[0], &[], &["new"]), [0], "it has");
    }
}
