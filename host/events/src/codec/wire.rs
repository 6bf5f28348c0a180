//! The protobuf wire format, as far as both directions need it.

use super::error::Fault;

/// The wire types that the schema uses.
pub(super) const VARINT: u32 = 0;
pub(super) const FIXED64: u32 = 1;
pub(super) const LEN: u32 = 2;

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[allow(clippy::cast_possible_truncation)] // the low seven bits are what is wanted
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[allow(clippy::cast_possible_truncation)] // less than 0x80
    out.push(value as u8);
}

pub(super) fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u32) {
    put_varint(out, u64::from(number << 3 | wire_type));
}

pub(super) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, LEN);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Starts a field whose length is not known yet; [`finish`] wants what this returns.
pub(super) fn begin(out: &mut Vec<u8>, number: u32) -> usize {
    put_tag(out, number, LEN);
    out.len()
}

/// Ends a field that [`begin`] started.
///
/// The length is put before the content by moving that up, which costs less than to measure nested
/// messages beforehand: events are small.
pub(super) fn finish(out: &mut Vec<u8>, start: usize) {
    let end = out.len();
    put_varint(out, (end - start) as u64);
    let width = out.len() - end;
    out[start..].rotate_right(width);
}

/// A field's value as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// Fixed32, which no field of the schema is.
    Other,
}

impl<'a> Payload<'a> {
    pub(super) fn varint(self) -> Result<u64, Fault> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(Fault::WireType),
        }
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], Fault> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Fault::WireType),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Fault::Utf8)
    }
}

/// The fields of a message, in the order of the wire.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number and value; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Payload<'a>)>, Fault> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = u32::try_from(self.varint()?).map_err(|_| Fault::Malformed)?;
        let payload = match tag & 7 {
            VARINT => Payload::Varint(self.varint()?),
            FIXED64 => {
                let (bytes, rest) = self.0.split_first_chunk().ok_or(Fault::Malformed)?;
                self.0 = rest;
                Payload::Fixed64(u64::from_le_bytes(*bytes))
            }
            LEN => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| Fault::Malformed)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(Fault::Malformed)?;
                self.0 = rest;
                Payload::Bytes(bytes)
            }
            5 => {
                self.0 = self.0.get(4..).ok_or(Fault::Malformed)?;
                Payload::Other
            }
            // 3 and 4 are the groups of proto2, 6 and 7 do not exist.
            _ => return Err(Fault::Malformed),
        };
        match tag >> 3 {
            0 => Err(Fault::Malformed),
            number => Ok(Some((number, payload))),
        }
    }

    /// One varint, also of a packed list.
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for (index, &byte) in self.0.iter().take(10).enumerate() {
            // The tenth byte has room for one bit.
            if index == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Ok(value);
            }
        }
        Err(Fault::Malformed)
    }
}

/// The last value of field `number` in the message, which is the one that counts.
pub(super) fn last(message: &[u8], number: u32) -> Result<Option<Payload<'_>>, Fault> {
    let mut fields = Fields(message);
    let mut found = None;
    while let Some((at, payload)) = fields.next()? {
        if at == number {
            found = Some(payload);
        }
    }
    Ok(found)
}
