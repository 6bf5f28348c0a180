//! `google.protobuf.Struct`: any JSON.

use super::Printer;
use super::value::{all, sorted_entries};
use crate::codec::error::{CodecError, Fault};
use crate::codec::wire::{Fields, Payload};
use crate::codec::{MAX_DEPTH, text};

impl<'a> Printer<'_, '_, 'a> {
    /// Prints a Struct as the object that it holds.
    pub(super) fn structure(&mut self, message: &'a [u8], depth: usize) -> Result<(), CodecError> {
        if depth > MAX_DEPTH {
            return Err(Fault::Depth.into());
        }
        self.out.push(b'{');
        let start = self.out.len();
        for (key, value) in sorted_entries(&all(message, 1)?)? {
            self.comma(start);
            text::string(key, self.out);
            self.out.push(b':');
            let value = value.map_or(Ok([].as_slice()), Payload::bytes)?;
            self.dynamic(value, depth).map_err(|error| error.within(key))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Prints a Value; one that holds nothing is null.
    fn dynamic(&mut self, message: &'a [u8], depth: usize) -> Result<(), CodecError> {
        let mut fields = Fields(message);
        let mut set = None;
        while let Some((number, payload)) = fields.next()? {
            if (1..=6).contains(&number) {
                set = Some((number, payload));
            }
        }
        match set {
            None => self.out.extend(b"null"),
            Some((1, payload)) => {
                payload.varint()?;
                self.out.extend(b"null");
            }
            Some((2, Payload::Fixed64(bits))) => text::double(f64::from_bits(bits), self.out)?,
            Some((3, payload)) => text::string(payload.text()?, self.out),
            Some((4, payload)) => {
                let value = payload.varint()? != 0;
                self.out.extend_from_slice(if value { b"true" } else { b"false" });
            }
            Some((5, payload)) => self.structure(payload.bytes()?, depth + 1)?,
            Some((6, payload)) => self.dynamic_list(payload.bytes()?, depth + 1)?,
            Some(_) => return Err(Fault::WireType.into()),
        }
        Ok(())
    }

    fn dynamic_list(&mut self, message: &'a [u8], depth: usize) -> Result<(), CodecError> {
        if depth > MAX_DEPTH {
            return Err(Fault::Depth.into());
        }
        self.out.push(b'[');
        let start = self.out.len();
        for value in all(message, 1)? {
            self.comma(start);
            self.dynamic(value.bytes()?, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }
}
