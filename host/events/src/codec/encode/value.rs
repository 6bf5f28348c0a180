//! Single values.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::{Content, Encoder};
use crate::codec::MAX_DEPTH;
use crate::codec::schema::Kind;
use crate::codec::{time, wire};

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a field of its own, which is left out when the value is null or zero.
    Field { by_value: bool },
    /// In a list.
    Element,
    /// In a list of numbers, which have one tag together.
    Packed,
    /// In an entry of a map, where it is left out when zero.
    Entry,
}

/// Writes a value as field `number`.
pub(super) struct Value<'e, 't, 'o> {
    pub(super) encoder: &'e mut Encoder<'t, 'o>,
    pub(super) kind: Kind,
    pub(super) number: u32,
    pub(super) place: Place,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.kind.expected())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match (self.kind, self.place) {
            (Kind::Value, _) => self.message(|out| out.extend([0x08, 0])),
            (_, Place::Field { .. }) | (Kind::Strings, _) => {}
            _ => return Err(E::invalid_type(Unexpected::Unit, &self)),
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.kind {
            Kind::Bool => self.varint(value.into()),
            Kind::Value => self.message(|out| out.extend([0x20, value.into()])),
            _ => return Err(E::invalid_type(Unexpected::Bool(value), &self)),
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match self.kind {
            #[allow(clippy::cast_precision_loss)] // a Struct holds doubles
            Kind::Value => self.visit_f64(value as f64),
            _ => self.integer(value.into()),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        match self.kind {
            #[allow(clippy::cast_precision_loss)] // a Struct holds doubles
            Kind::Value => self.visit_f64(value as f64),
            _ => self.integer(value.into()),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        #[allow(clippy::cast_possible_truncation)] // it has no fraction, and saturates
        match self.kind {
            Kind::Value => {
                self.message(|out| {
                    wire::put_tag(out, 2, wire::FIXED64);
                    out.extend(value.to_le_bytes());
                });
                Ok(())
            }
            _ if value.fract() == 0.0 => self.integer(value as i128),
            _ => Err(E::invalid_value(Unexpected::Float(value), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let invalid = |this: &Self| Err(E::invalid_value(Unexpected::Str(text), this));
        match self.kind {
            Kind::String => {
                if !text.is_empty() || self.place == Place::Element {
                    wire::put_bytes(self.encoder.out, self.number, text.as_bytes());
                }
            }
            Kind::Value => self.message(|out| wire::put_bytes(out, 3, text.as_bytes())),
            Kind::Bytes => {
                let mut bytes = Vec::new();
                if BASE64_STANDARD.decode_vec(text, &mut bytes).is_err() {
                    return invalid(&self);
                }
                if !bytes.is_empty() || self.place == Place::Element {
                    wire::put_bytes(self.encoder.out, self.number, &bytes);
                }
            }
            Kind::Time(_) => {
                let Some(time) = time::parse(text) else { return invalid(&self) };
                if time != time::UNSET || self.place != (Place::Field { by_value: true }) {
                    self.message(|out| time::encode(time, out));
                }
            }
            Kind::Enum(index) => match self.encoder.schema.enum_number(index, text) {
                Some(number) => return self.integer(number.into()),
                None => return invalid(&self),
            },
            _ => match text.parse() {
                Ok(number) => return self.integer(number),
                Err(_) => return invalid(&self),
            },
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { encoder, kind, number, place } = self;
        let element = match kind {
            Kind::Strings => Kind::String,
            Kind::Value => Kind::Value,
            _ => return Err(A::Error::invalid_type(Unexpected::Seq, &kind.expected())),
        };
        let before = encoder.out.len();
        let message = wire::begin(encoder.out, number);
        let values = if kind == Kind::Value { Some(encoder.descend(6)?) } else { None };
        loop {
            let encoder = &mut *encoder;
            let value = Value { encoder, kind: element, number: 1, place: Place::Element };
            if list.next_element_seed(value)?.is_none() {
                break;
            }
        }
        if let Some(values) = values {
            encoder.ascend(values);
        }
        encoder.finish(place, before, message);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Self { encoder, kind, number, place } = self;
        match kind {
            Kind::Object(index) => {
                let object = &encoder.schema.objects[index];
                let before = encoder.out.len();
                let message = wire::begin(encoder.out, number);
                Content { encoder: &mut *encoder, object }.visit_map(map)?;
                encoder.finish(place, before, message);
            }
            Kind::Oneof(index) => {
                let object = &encoder.schema.objects[index];
                Content { encoder, object }.visit_map(map)?;
            }
            Kind::Labels => {
                let labels = wire::begin(encoder.out, number);
                encoder.entries(1, Kind::Strings, map)?;
                wire::finish(encoder.out, labels);
            }
            Kind::Struct => {
                let fields = encoder.descend(number)?;
                encoder.entries(1, Kind::Value, map)?;
                encoder.ascend(fields);
            }
            Kind::Value => {
                let value = wire::begin(encoder.out, number);
                let fields = encoder.descend(5)?;
                encoder.entries(1, Kind::Value, map)?;
                encoder.ascend(fields);
                wire::finish(encoder.out, value);
            }
            _ => return Err(A::Error::invalid_type(Unexpected::Map, &kind.expected())),
        }
        Ok(())
    }
}

impl Value<'_, '_, '_> {
    pub(super) fn message(self, content: impl FnOnce(&mut Vec<u8>)) {
        let start = wire::begin(self.encoder.out, self.number);
        content(self.encoder.out);
        wire::finish(self.encoder.out, start);
    }
}

impl Encoder<'_, '_> {
    /// Ends a message that begins at `before` with its tag.
    fn finish(&mut self, place: Place, before: usize, start: usize) {
        if place == Place::Entry && self.out.len() == start {
            self.out.truncate(before);
        } else {
            wire::finish(self.out, start);
        }
    }

    /// Begins an object or a list of a Struct.
    fn descend<E: Error>(&mut self, number: u32) -> Result<usize, E> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(E::custom(format_args!("nested more than {MAX_DEPTH} deep")));
        }
        Ok(wire::begin(self.out, number))
    }

    fn ascend(&mut self, start: usize) {
        self.depth -= 1;
        wire::finish(self.out, start);
    }
}
