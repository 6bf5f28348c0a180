//! Single values, lists and maps.

use std::io::Write;

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use serde_json::value::RawValue;

use super::{Printer, Slot};
use crate::codec::error::{CodecError, Fault};
use crate::codec::original::{elements_of, members_of};
use crate::codec::schema::{Form, Kind, Member};
use crate::codec::wire::{self, Fields, Payload};
use crate::codec::{text, time};

impl<'a> Printer<'_, '_, 'a> {
    /// Prints a member's value; returns whether Go takes it for empty.
    pub(super) fn member(
        &mut self,
        member: &Member,
        slot: Slot,
        original: Option<&RawValue>,
    ) -> Result<bool, CodecError> {
        match member.form {
            Form::One(kind) if slot.is_empty() => self.unset(kind, member.by_value, original),
            Form::One(Kind::Oneof(index)) => {
                self.oneof(&self.schema.objects[index], slot, members_of(original)?)?;
                Ok(false)
            }
            Form::One(kind) if slot.first < slot.last && kind.is_message() => {
                self.merged(kind, slot, original)
            }
            Form::One(kind) => self.value(kind, self.found[slot.last].payload, original),
            Form::List(kind) => self.list(kind, slot, original),
            Form::Map(kind) => self.map(kind, &self.payloads(slot), original),
        }
    }

    fn unset(
        &mut self,
        kind: Kind,
        by_value: bool,
        original: Option<&RawValue>,
    ) -> Result<bool, CodecError> {
        match kind {
            Kind::Object(_) if by_value => return self.value(kind, Payload::Bytes(&[]), original),
            Kind::Time(precision) if by_value => {
                time::print(time::UNSET, precision, self.out);
                return Ok(false);
            }
            Kind::Bool => self.out.extend(b"false"),
            Kind::String => self.out.extend(b"\"\""),
            _ if kind.is_packed() => self.out.push(b'0'),
            _ => self.out.extend(b"null"),
        }
        Ok(true)
    }

    /// A message of which there are several pieces: they count as one.
    fn merged(
        &mut self,
        kind: Kind,
        slot: Slot,
        original: Option<&RawValue>,
    ) -> Result<bool, CodecError> {
        let mut message = Vec::new();
        for payload in self.payloads(slot) {
            message.extend_from_slice(payload.bytes()?);
        }
        let mut printer = Printer::new(self.schema, self.out);
        printer.value(kind, Payload::Bytes(&message), original)
    }

    fn payloads(&self, slot: Slot) -> Vec<Payload<'a>> {
        let first = self.found.get(slot.first);
        let found = std::iter::successors(first, |found| self.found.get(found.next));
        found.map(|found| found.payload).collect()
    }

    fn list(
        &mut self,
        kind: Kind,
        slot: Slot,
        original: Option<&RawValue>,
    ) -> Result<bool, CodecError> {
        let start = self.out.len();
        let payloads = self.payloads(slot);
        let originals = elements_of(original, payloads.len())?;
        for (index, payload) in payloads.into_iter().enumerate() {
            match payload {
                Payload::Bytes(packed) if kind.is_packed() => {
                    let mut numbers = Fields(packed);
                    while !numbers.0.is_empty() {
                        self.out.push(b',');
                        self.value(kind, Payload::Varint(numbers.varint()?), None)?;
                    }
                }
                payload => {
                    self.out.push(b',');
                    self.value(kind, payload, originals.get(index).copied())?;
                }
            }
        }
        Ok(self.bracket(start, b'[', b']'))
    }

    /// Puts brackets around what has been printed since `start` with a comma before each part;
    /// `null` if that is nothing.
    fn bracket(&mut self, start: usize, opening: u8, closing: u8) -> bool {
        let is_empty = self.out.len() == start;
        if is_empty {
            self.out.extend(b"null");
        } else {
            self.out[start] = opening;
            self.out.push(closing);
        }
        is_empty
    }

    fn map(
        &mut self,
        kind: Kind,
        entries: &[Payload<'a>],
        original: Option<&RawValue>,
    ) -> Result<bool, CodecError> {
        let mut originals = members_of(original)?.into_iter().peekable();
        let start = self.out.len();
        for (key, value) in sorted_entries(entries)? {
            while originals.next_if(|it| *it.0 < *key).is_some() {}
            let original = originals.next_if(|it| it.0 == key).map(|(_, value)| value);
            self.out.push(b',');
            text::string(key, self.out);
            self.out.push(b':');
            self.value(kind, value.unwrap_or_else(|| kind.zero()), original)
                .map_err(|error| error.within(key))?;
        }
        Ok(self.bracket(start, b'{', b'}'))
    }

    /// Prints one value; returns whether Go takes it for empty.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // as on the wire
    pub(super) fn value(
        &mut self,
        kind: Kind,
        payload: Payload<'a>,
        original: Option<&RawValue>,
    ) -> Result<bool, CodecError> {
        let out = &mut *self.out;
        match kind {
            Kind::Bool => {
                let value = payload.varint()? != 0;
                out.extend_from_slice(if value { b"true" } else { b"false" });
                return Ok(!value);
            }
            Kind::Enum(_) | Kind::Int32 => return Ok(number(payload.varint()? as i32, out)),
            Kind::Int64 => return Ok(number(payload.varint()? as i64, out)),
            Kind::Uint32 => return Ok(number(payload.varint()? as u32, out)),
            Kind::Uint64 => return Ok(number(payload.varint()?, out)),
            Kind::String => {
                let value = payload.text()?;
                text::string(value, out);
                return Ok(value.is_empty());
            }
            Kind::Bytes => {
                let value = payload.bytes()?;
                if value.is_empty() {
                    out.extend(b"null");
                    return Ok(true);
                }
                // Writing to a vector does not fail.
                _ = write!(out, "\"{}\"", Base64Display::new(value, &BASE64_STANDARD));
            }
            Kind::Time(precision) => time::print(time::decode(payload.bytes()?)?, precision, out),
            Kind::Uint32Value => _ = number(wrapped(payload)? as u32, out),
            Kind::Uint64Value => _ = number(wrapped(payload)?, out),
            Kind::Object(index) => {
                let object = &self.schema.objects[index];
                self.object(object, payload.bytes()?, members_of(original)?)?;
            }
            Kind::Labels => {
                let entries = all(payload.bytes()?, 1)?;
                return self.map(Kind::Strings, &entries, None);
            }
            Kind::Strings => {
                let start = self.out.len();
                for element in all(payload.bytes()?, 1)? {
                    self.out.push(b',');
                    text::string(element.text()?, self.out);
                }
                return Ok(self.bracket(start, b'[', b']'));
            }
            Kind::Struct => self.structure(payload.bytes()?, 1)?,
            // Neither stands alone: one is inside a Struct, the other is several fields.
            Kind::Value | Kind::Oneof(_) => return Err(Fault::WireType.into()),
        }
        Ok(false)
    }
}

fn number<I: itoa::Integer + Default + PartialEq>(value: I, out: &mut Vec<u8>) -> bool {
    text::integer(value, out);
    value == I::default()
}

/// The number in a wrapper.
fn wrapped(payload: Payload<'_>) -> Result<u64, Fault> {
    wire::last(payload.bytes()?, 1)?.map_or(Ok(0), Payload::varint)
}

/// All values of field `number`.
pub(super) fn all(message: &[u8], number: u32) -> Result<Vec<Payload<'_>>, Fault> {
    let mut fields = Fields(message);
    let mut found = Vec::new();
    while let Some((at, payload)) = fields.next()? {
        if at == number {
            found.push(payload);
        }
    }
    Ok(found)
}

/// The entries of a map by key, the last one of each.
pub(super) fn sorted_entries<'a>(
    entries: &[Payload<'a>],
) -> Result<Vec<(&'a str, Option<Payload<'a>>)>, Fault> {
    let mut sorted = Vec::with_capacity(entries.len());
    // From the end, so that the last of several comes first.
    for entry in entries.iter().rev() {
        let entry = entry.bytes()?;
        let key = wire::last(entry, 1)?.map_or(Ok(""), Payload::text)?;
        sorted.push((key, wire::last(entry, 2)?));
    }
    sorted.sort_by_key(|&(key, _)| key);
    sorted.dedup_by_key(|&mut (key, _)| key);
    Ok(sorted)
}

impl Kind {
    fn is_message(self) -> bool {
        use Kind::{Labels, Object, Struct, Time, Uint32Value, Uint64Value};
        matches!(self, Labels | Object(_) | Struct | Time(_) | Uint32Value | Uint64Value)
    }

    /// The value of an entry that has none.
    fn zero(self) -> Payload<'static> {
        if self.is_packed() { Payload::Varint(0) } else { Payload::Bytes(&[]) }
    }
}
