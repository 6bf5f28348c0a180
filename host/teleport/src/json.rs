//! `google.protobuf.Struct` to JSON, straight from its bytes.
//!
//! What Teleport's event handler sends is protobuf's own JSON of the same Struct: keys in the order of
//! their bytes, whole numbers without a fraction. Here strings are escaped as `serde_json` does. What
//! JSON cannot hold (NaN, infinities) becomes a string, as in protobuf's JSON of a double.

use crate::wire::{Fields, Malformed, Value};
use std::io::Write;
use std::str::from_utf8;

/// What protobuf's own readers take, too; a deeper one would be a way to fill the stack.
const DEPTH: usize = 100;

/// Appends the JSON of a Struct. After an error `out` has a part of it.
pub(crate) fn write(message: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    Writer { out, entries: Vec::with_capacity(32) }.object(message, 0)
}

/// The text of a key of the Struct itself, if it is a string. As with JSON, the last one counts.
pub(crate) fn text<'a>(message: &'a [u8], key: &str) -> Option<&'a str> {
    let mut found = None;
    for field in Fields::of(message) {
        let (1, Value::Bytes(bytes)) = field.ok()? else { continue };
        let (of, value) = entry(bytes).ok()?;
        if of == key.as_bytes() {
            found = match Fields::of(value).last() {
                Some(Ok((3, Value::Bytes(text)))) => from_utf8(text).ok(),
                _ => None,
            };
        }
    }
    found
}

/// An entry of a map: its key, and the bytes of its Value.
fn entry(message: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields::of(message) {
        match field? {
            (1, bytes) => key = bytes.bytes()?,
            (2, bytes) => value = bytes.bytes()?,
            _ => {}
        }
    }
    Ok((key, value))
}

struct Writer<'a, 'out> {
    out: &'out mut Vec<u8>,
    /// The entries of all objects that are being written, each object's sorted, the innermost last:
    /// one allocation serves them all.
    entries: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Writer<'a, '_> {
    fn object(&mut self, message: &'a [u8], depth: usize) -> Result<(), Malformed> {
        if depth > DEPTH {
            return Err(Malformed("its values are nested too deeply"));
        }
        let base = self.entries.len();
        for field in Fields::of(message) {
            if let (1, value) = field? {
                self.entries.push(entry(value.bytes()?)?);
            }
        }
        // Stable: of two with one key the last one counts, as protobuf says of maps.
        self.entries[base..].sort_by_key(|(key, _)| *key);
        self.out.push(b'{');
        let mut first = true;
        for index in base..self.entries.len() {
            let (key, value) = self.entries[index];
            if self.entries.get(index + 1).is_some_and(|(next, _)| *next == key) {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            self.string(key)?;
            self.out.push(b':');
            self.value(value, depth)?;
        }
        self.entries.truncate(base);
        self.out.push(b'}');
        Ok(())
    }

    fn value(&mut self, message: &'a [u8], depth: usize) -> Result<(), Malformed> {
        // Of a oneof the last field counts. A Value without any is none that JSON knows: null.
        let Some(field) = Fields::of(message).last() else {
            self.out.extend_from_slice(b"null");
            return Ok(());
        };
        match field? {
            (2, Value::Fixed64(bits)) => self.number(f64::from_bits(bits)),
            (3, value) => self.string(value.bytes()?)?,
            (4, Value::Varint(bool)) => {
                self.out.extend_from_slice(if bool == 0 { b"false" } else { b"true" });
            }
            (5, value) => self.object(value.bytes()?, depth + 1)?,
            (6, value) => self.list(value.bytes()?, depth + 1)?,
            (2 | 4, _) => {
                return Err(Malformed("a value has another wire type than its schema says"));
            }
            _ => self.out.extend_from_slice(b"null"),
        }
        Ok(())
    }

    fn list(&mut self, message: &'a [u8], depth: usize) -> Result<(), Malformed> {
        if depth > DEPTH {
            return Err(Malformed("its values are nested too deeply"));
        }
        self.out.push(b'[');
        let mut first = true;
        for field in Fields::of(message) {
            if let (1, value) = field? {
                if !std::mem::take(&mut first) {
                    self.out.push(b',');
                }
                self.value(value.bytes()?, depth)?;
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let text = from_utf8(bytes).map_err(|_| Malformed("a string is not UTF-8"))?;
        serde_json::to_writer(&mut *self.out, text).map_err(|_| Malformed("no JSON"))
    }

    /// In digits up to 21 of them, as ECMAScript and Go have it.
    #[allow(clippy::cast_possible_truncation, reason = "whole, and in the range of i128")]
    fn number(&mut self, number: f64) {
        let written = if number.is_nan() {
            self.out.write_all(br#""NaN""#)
        } else if number.is_infinite() {
            let name: &[u8] = if number > 0.0 { br#""Infinity""# } else { br#""-Infinity""# };
            self.out.write_all(name)
        } else if number == 0.0 && number.is_sign_negative() {
            self.out.write_all(b"-0")
        } else if number.fract() == 0.0 && number.abs() < 1e15 {
            self.out.write_all(itoa::Buffer::new().format(number as i64).as_bytes())
        } else if number.fract() == 0.0 && number.abs() < 1e21 {
            // The shortest digits that are this number, and then zeros.
            write!(self.out, "{number}")
        } else {
            serde_json::to_writer(&mut *self.out, &number).map_err(Into::into)
        };
        debug_assert!(written.is_ok(), "a vector takes everything");
    }
}

#[cfg(test)]
mod tests;
