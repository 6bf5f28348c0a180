//! Lists.

use std::fmt;

use serde::de::{SeqAccess, Visitor};

use super::Encoder;
use super::value::{Place, Value};
use crate::codec::schema::Kind;
use crate::codec::wire;

/// Writes a list as repeated field `number`.
pub(super) struct List<'e, 't, 'o> {
    pub(super) encoder: &'e mut Encoder<'t, 'o>,
    pub(super) kind: Kind,
    pub(super) number: u32,
}

impl<'de> Visitor<'de> for List<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { encoder, kind, number } = self;
        if !kind.is_packed() {
            let place = Place::Element;
            while list.next_element_seed(Value { encoder, kind, number, place })?.is_some() {}
            return Ok(());
        }
        let before = encoder.out.len();
        let start = wire::begin(encoder.out, number);
        let place = Place::Packed;
        while list.next_element_seed(Value { encoder, kind, number, place })?.is_some() {}
        if encoder.out.len() == start {
            encoder.out.truncate(before);
        } else {
            wire::finish(encoder.out, start);
        }
        Ok(())
    }
}
