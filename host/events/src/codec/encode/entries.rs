//! Maps, whose entries are sorted by key.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};

use super::value::{Place, Value};
use super::{Encoder, Text};
use crate::codec::schema::Kind;
use crate::codec::wire;

/// Writes an object as map field `number`.
pub(super) struct Map<'e, 't, 'o> {
    pub(super) encoder: &'e mut Encoder<'t, 'o>,
    pub(super) kind: Kind,
    pub(super) number: u32,
}

impl<'de> Visitor<'de> for Map<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.encoder.entries(self.number, self.kind, map)
    }
}

impl Encoder<'_, '_> {
    /// Writes the object's members as the entries of the map that field `number` is.
    pub(super) fn entries<'de, A: MapAccess<'de>>(
        &mut self,
        number: u32,
        kind: Kind,
        mut map: A,
    ) -> Result<(), A::Error> {
        let start = self.out.len();
        let mut written = Vec::new();
        while let Some(key) = map.next_key_seed(Text)? {
            let from = self.out.len();
            let entry = wire::begin(self.out, number);
            if !key.is_empty() {
                wire::put_bytes(self.out, 1, key.as_bytes());
            }
            map.next_value_seed(Value { encoder: self, kind, number: 2, place: Place::Entry })?;
            wire::finish(self.out, entry);
            written.push(Entry { key, from, to: self.out.len() });
        }
        if !written.is_sorted_by(|a, b| a.key < b.key) {
            self.sort(start, written);
        }
        Ok(())
    }

    /// Of several entries with one key the last one counts.
    fn sort(&mut self, start: usize, mut entries: Vec<Entry>) {
        let end = self.out.len();
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        for same in entries.chunk_by(|a, b| a.key == b.key) {
            if let Some(Entry { from, to, .. }) = same.last() {
                self.out.extend_from_within(*from..*to);
            }
        }
        self.out.drain(start..end);
    }
}

/// An entry that has been written.
struct Entry<'de> {
    key: Cow<'de, str>,
    from: usize,
    to: usize,
}
