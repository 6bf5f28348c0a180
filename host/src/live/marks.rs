//! Which plugin a mark of "disabled" is about, once a list has changed: in this process, in one that takes
//! over, and in the next run.
//!
//! Plugins of one path are told apart by their configuration. One whose configuration is there goes on,
//! wherever in the list; of the others, as many as there were take their places in order. If it is not as
//! many, nobody can tell: then they are disabled if all that were there before were. Of a plugin that is not
//! there for a time only its place in the list is known.

use super::declared::Key;
use super::disabled::Disabled;
use super::set::Set;
use host_proxy::native::sha256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// A plugin of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    #[serde(flatten)]
    pub(crate) key: Key,
    /// The SHA-256 of its configuration, which may have secrets.
    #[serde(default)]
    pub(crate) config: String,
}

/// What is not to be called, and all that it is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks {
    pub(crate) plugins: Vec<Listed>,
    pub(crate) disabled: Disabled,
}

impl Listed {
    fn path(&self) -> (&str, &Path) {
        (&self.key.place, &self.key.asked)
    }
}

impl Set {
    /// The proxy's plugins.
    pub(super) fn listed(&self) -> Vec<Listed> {
        let listed = self.slots.iter().map(|slot| Listed {
            key: slot.key.clone(),
            config: sha256(slot.settings.config.as_bytes()),
        });
        listed.collect()
    }
}

impl Marks {
    /// What is disabled once `next` is in use.
    pub(super) fn carried(&self, next: &Set) -> Disabled {
        let listed = next.listed();
        let heirs = self.heirs(&listed);
        let mut disabled = self.carried_to(&listed, &heirs);
        // What rollback brings back is as it was left.
        let is_heir = |key: &Key| heirs.iter().any(|(_, to)| *to == key);
        let left = next.slots.iter().filter(|slot| slot.is_disabled() && !is_heir(&slot.key));
        disabled.extend(left.map(|slot| slot.key.clone()));
        disabled
    }

    fn carried_to(&self, next: &[Listed], heirs: &[(&Key, &Key)]) -> Disabled {
        let was_there = |key: &Key| self.plugins.iter().any(|it| it.key == *key);
        let is_there = |key: &Key| next.iter().any(|it| it.key == *key);
        // Of what is not there, since its file is gone or was rolled back, the mark waits at its key, as long
        // as that is declared.
        let waits = |key: &&Key| {
            let is_settled = heirs.iter().any(|(from, to)| from == key || to == key);
            let is_another = was_there(key) && is_there(key);
            !is_settled && !is_another
        };
        let moved = heirs.iter().filter(|(from, _)| self.disabled.contains(*from));
        let moved = moved.map(|(_, to)| *to);
        self.disabled.iter().filter(waits).chain(moved).cloned().collect()
    }

    /// Who goes on as whom.
    fn heirs<'a>(&'a self, next: &'a [Listed]) -> Vec<(&'a Key, &'a Key)> {
        let mut new: Vec<&Listed> = next.iter().collect();
        let (mut heirs, mut left) = (Vec::new(), Vec::new());
        // Of twins each goes on as itself.
        let (same, others): (Vec<_>, Vec<_>) =
            self.plugins.iter().partition(|plugin| next.contains(plugin));
        for plugin in same.into_iter().chain(others) {
            let is = |it: &&Listed| it.path() == plugin.path() && it.config == plugin.config;
            let itself = new.iter().position(|it| *it == plugin);
            match itself.or_else(|| new.iter().position(is)) {
                Some(at) => heirs.push((&plugin.key, &new.remove(at).key)),
                None => left.push(plugin),
            }
        }
        // One that is back where a mark waits is nobody's heir.
        let was_there = |key: &Key| self.plugins.iter().any(|it| it.key == *key);
        new.retain(|it| was_there(&it.key) || !self.disabled.contains(&it.key));
        let paths: BTreeSet<_> = left.iter().map(|plugin| plugin.path()).collect();
        for path in paths {
            let of_path = |plugins: &[&'a Listed]| -> Vec<&'a Key> {
                let of_path = plugins.iter().filter(|it| it.path() == path);
                of_path.map(|it| &it.key).collect()
            };
            let (from, to) = (of_path(&left), of_path(&new));
            let disabled = from.iter().filter(|key| self.disabled.contains(**key)).count();
            if from.len() == to.len() {
                heirs.extend(from.into_iter().zip(to));
            } else if disabled == from.len() {
                heirs.extend(to.into_iter().map(|to| (from[0], to)));
            } else if disabled > 0 && !to.is_empty() {
                let path = path.1.display();
                tracing::warn!(
                    "which plugin of {path} was disabled by an operator cannot be told any more, now \
                     that their number and configuration have changed: all of them are called"
                );
            }
        }
        heirs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(nth: usize) -> Key {
        Key { place: "pre".to_owned(), asked: "a.so".into(), nth }
    }

    fn listed(configs: &[&str]) -> Vec<Listed> {
        let of =
            |(nth, config): (usize, &&str)| Listed { key: key(nth), config: (*config).to_owned() };
        configs.iter().enumerate().map(of).collect()
    }

    /// What is disabled of `next`, if these of `present` were: plugins of one path, by configuration.
    fn after(disabled: &[usize], present: &[&str], next: &[&str]) -> Vec<usize> {
        let disabled = disabled.iter().copied().map(key).collect();
        let marks = Marks { plugins: listed(present), disabled };
        let next = listed(next);
        let carried = marks.carried_to(&next, &marks.heirs(&next));
        carried.into_iter().map(|key| key.nth).collect()
    }

    const NONE: [usize; 0] = [];

    #[test]
    fn a_mark_goes_where_the_plugin_goes() {
        assert_eq!(after(&[0], &["a", "b"], &["b", "a"]), [1]);
        assert_eq!(after(&[1], &["a", "b"], &["b"]), [0]);
        assert_eq!(after(&[0], &["a"], &["new", "a"]), [1]);
        assert_eq!(after(&[0], &["a", "b"], &["b"]), NONE, "it is gone");
        assert_eq!(after(&[0, 1], &["a", "b"], &["b", "a"]), [0, 1]);
        assert_eq!(after(&[0, 1], &["a", "b", "c"], &["c", "b", "a"]), [1, 2]);
        assert_eq!(after(&[1], &["a", "a"], &["a", "a"]), [1], "twins keep their order");
        assert_eq!(
            after(&[1], &["a", "b"], &["b", "b"]),
            [1],
            "and what becomes one is not the other"
        );
    }

    #[test]
    fn a_mark_stays_in_what_takes_the_plugin_s_place() {
        assert_eq!(after(&[0], &["a"], &["new"]), [0]);
        assert_eq!(after(&[0], &["a", "b"], &["b", "new"]), [1]);
        assert_eq!(after(&[1], &["a", "b"], &["a", "new"]), [1]);
        assert_eq!(after(&[0], &["a"], &["new", "newer"]), [0, 1]);
        assert_eq!(
            after(&[0, 1], &["a", "b"], &["new"]),
            [0, 1],
            "the second is forgotten if nobody asks for it"
        );
    }

    #[test]
    fn a_mark_waits_where_the_plugin_s_file_is_gone() {
        assert_eq!(after(&[0], &["a"], &[]), [0]);
        assert_eq!(after(&[0], &[], &["a"]), [0]);
        assert_eq!(after(&[1], &["a", "b"], &["a"]), [1], "beside others, too");
    }

    #[test]
    fn a_plugin_that_is_back_has_the_mark_that_waits_for_it() {
        let second = Listed { key: key(1), config: "b".to_owned() };
        let marks = Marks { plugins: vec![second], disabled: Disabled::from([key(0)]) };
        let next = listed(&["a"]);
        assert_eq!(marks.carried_to(&next, &marks.heirs(&next)), Disabled::from([key(0)]));
    }

    /// Another one must not be disabled in its stead.
    #[test]
    fn what_cannot_be_told_is_called() {
        assert_eq!(after(&[0], &["a", "b"], &["new"]), NONE);
        assert_eq!(after(&[1], &["a", "b"], &["new"]), [1], "whose place is empty");
    }
}
