//! Which events a sink has had.

use crate::event::Key;
use std::collections::{HashSet, VecDeque};

/// What is known of an event that comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing: it is to be delivered.
    Never,
    /// The sink acknowledged it before this program was started anew.
    Before,
    /// The sink has it, or is being given it: it came twice.
    Twice,
}

/// The events that a sink has had, as far as they may come again.
#[derive(Debug)]
pub(super) struct Memory {
    /// Of the time before this program was started. Each may come once again: two events with one
    /// uid are two unless duplicates are to be dropped.
    before: HashSet<Key>,
    last: Last,
}

/// The last events of this sink; none unless duplicates are to be dropped.
#[derive(Debug)]
struct Last {
    most: usize,
    order: VecDeque<Key>,
    keys: HashSet<Key>,
}

impl Memory {
    /// With what the journal says, the oldest first, and the last `dedupe` of them to be told from
    /// duplicates.
    pub(super) fn new(journal: Vec<Key>, dedupe: usize) -> Self {
        let mut last = Last { most: dedupe, order: VecDeque::new(), keys: HashSet::new() };
        for key in &journal[journal.len().saturating_sub(dedupe)..] {
            last.insert(*key);
        }
        Self { before: journal.into_iter().collect(), last }
    }

    /// Looks an event up that is about to be delivered. From then on it is known.
    pub(super) fn look(&mut self, key: Key) -> Seen {
        let was_before = !self.before.is_empty() && self.before.remove(&key);
        match (was_before, self.last.insert(key)) {
            (true, _) => Seen::Before,
            (false, true) => Seen::Never,
            (false, false) => Seen::Twice,
        }
    }

    /// The replay is over: what has not come again by now will not.
    pub(super) fn forget_before(&mut self) {
        self.before = HashSet::new();
    }
}

impl Last {
    /// Whether it is new; always if nothing is to be remembered.
    fn insert(&mut self, key: Key) -> bool {
        if self.most == 0 {
            return true;
        }
        if !self.keys.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(uid: u32) -> Key {
        Key::of(None, &uid.to_string())
    }

    #[test]
    fn without_dedupe_only_the_replay_is_known() {
        let mut memory = Memory::new(vec![key(1), key(2)], 0);
        assert_eq!(memory.look(key(1)), Seen::Before);
        assert_eq!(memory.look(key(1)), Seen::Never);
        assert_eq!(memory.look(key(3)), Seen::Never);
        assert_eq!(memory.look(key(3)), Seen::Never);
        memory.forget_before();
        assert_eq!(memory.look(key(2)), Seen::Never);
    }

    #[test]
    fn dedupe_knows_the_last_ones_also_of_the_time_before() {
        let mut memory = Memory::new((1..=5).map(key).collect(), 2);
        memory.forget_before();
        assert_eq!(memory.look(key(5)), Seen::Twice);
        assert_eq!(memory.look(key(3)), Seen::Never);
        assert_eq!(memory.look(key(3)), Seen::Twice);
        assert_eq!(memory.look(key(6)), Seen::Never); // 4 and 5 are forgotten
        assert_eq!(memory.look(key(5)), Seen::Never);
    }
}
