//! The events that were there before.

use crate::event::Event;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// The last events, by the hash of what tells them apart: those of the page that is asked for again, of the end of the
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
        let hash = self.hash(event);
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

    /// An event without an id, or one that cannot be decoded, is told apart by all that it has. Not by its
    /// bytes: a server may write the same fields in another order when it is asked again. What goes on of
    /// it is the same each time.
    fn hash(&self, event: &Event) -> u64 {
        let id = event.id();
        if !id.is_empty() {
            return self.hasher.hash_one(id);
        }
        let json = event.json().unwrap_or_else(|(_, json)| json);
        self.hasher.hash_one((event.kind(), event.time(), event.index(), json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Unstructured;
    use bytes::Bytes;

    fn event(id: &str, index: i64) -> Event {
        let id = id.as_bytes().to_vec().into();
        Unstructured { id, index, ..Unstructured::default() }.into()
    }

    #[test]
    fn what_was_there_is_known_and_the_memory_bounded() {
        let mut seen = Seen::new(20);
        assert!(seen.insert(&event("a", 0)) && !seen.insert(&event("a", 0)));
        for number in 0..1 << 17 {
            assert!(seen.insert(&event(&number.to_string(), 0)));
        }
        assert_eq!((seen.known.len(), seen.order.len()), (1 << 16, 1 << 16));
        assert!(seen.insert(&event("a", 0)));
    }

    /// An entry of a Struct: a key of a letter, and a bool.
    fn entry(key: u8, bool: u8) -> [u8; 9] {
        [0x0a, 7, 0x0a, 1, key, 0x12, 2, 0x20, bool]
    }

    #[test]
    fn without_an_id_only_the_very_same_event_is_a_repeat() {
        let with = |body: &[u8]| -> Event {
            let body = Bytes::copy_from_slice(body);
            Unstructured { kind: "user.login".into(), body, ..Unstructured::default() }.into()
        };
        let ab = [entry(b'a', 0), entry(b'b', 0)].concat();
        let ba = [entry(b'b', 0), entry(b'a', 0)].concat();
        let other = [entry(b'a', 0), entry(b'b', 1)].concat();
        let undecodable = |bytes: &'static [u8]| Event::from(Bytes::from_static(bytes));
        let mut seen = Seen::new(20);
        for (event, is_new) in [
            (event("", 1), true),
            (event("", 2), true),
            (event("", 1), false),
            (with(&ab), true),
            (with(&ba), false), // Go writes maps in no order
            (with(&other), true),
            (with(b"\x0a\x7f"), true), // no Struct
            (with(b"\x0a\x7e"), true),
            (with(b"\x0a\x7f"), false),
            (undecodable(b"\x0a\xff\xfe"), true), // no envelope
            (undecodable(b"\x0a\xff\xff"), true),
            (undecodable(b"\x0a\xff\xfe"), false),
        ] {
            assert_eq!(seen.insert(&event), is_new, "{event:?}");
        }
    }
}
