//! The events that were there before.

use crate::event::Event;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// The last events, by the hash of their id: those of the page that is asked for again, of the end of the
/// window before, and of pages that the server repeats.
#[derive(Debug)]
pub(super) struct Seen {
    most: usize,
    hasher: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    pub(super) fn new(page: u32) -> Self {
        let most = (page as usize).saturating_mul(4).max(1 << 16);
        Self { most, hasher: RandomState::new(), known: HashSet::new(), order: VecDeque::new() }
    }

    /// Whether it was not there before.
    pub(super) fn insert(&mut self, event: &Event) -> bool {
        let id = event.id();
        // An event without an id is told apart by what else its envelope has.
        let hash = match id.is_empty() {
            false => self.hasher.hash_one(&id),
            true => self.hasher.hash_one((event.kind(), event.time(), event.index())),
        };
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Unstructured;

    fn event(id: &str, index: i64) -> Event {
        let id = id.as_bytes().to_vec().into();
        Unstructured { id, index, ..Unstructured::default() }.into()
    }

    #[test]
    fn what_was_there_is_known_and_the_memory_bounded() {
        let mut seen = Seen::new(20);
        assert!(seen.insert(&event("a", 0)) && !seen.insert(&event("a", 0)));
        assert!(
            seen.insert(&event("", 1)) && seen.insert(&event("", 2)) && !seen.insert(&event("", 1))
        );
        for number in 0..1 << 17 {
            assert!(seen.insert(&event(&number.to_string(), 0)));
        }
        assert_eq!((seen.known.len(), seen.order.len()), (1 << 16, 1 << 16));
        assert!(seen.insert(&event("a", 0)));
    }
}
