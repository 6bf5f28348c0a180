//! As much of protobuf's wire format as it takes to find a part of a message without decoding it.

use crate::{Error, Result};

/// The length-delimited fields of a message, in order; the others are passed over.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next one's number and contents.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, &'a [u8])>> {
        while !self.0.is_empty() {
            let key = varint(&mut self.0)?;
            let number = u32::try_from(key >> 3).map_err(|_| malformed())?;
            match key & 7 {
                0 => drop(varint(&mut self.0)?),
                1 => drop(split(&mut self.0, 8)?),
                2 => return Ok(Some((number, delimited(&mut self.0)?))),
                5 => drop(split(&mut self.0, 4)?),
                _ => return Err(malformed()), // groups: nothing here has ever had any
            }
        }
        Ok(None)
    }

    /// The contents of the field of this number. Of several the last one counts, as in protobuf.
    pub(crate) fn find(mut self, wanted: u32) -> Result<Option<&'a [u8]>> {
        let mut found = None;
        while let Some((number, contents)) = self.next()? {
            if number == wanted {
                found = Some(contents);
            }
        }
        Ok(found)
    }
}

/// Takes a length and as many bytes off the front.
pub(crate) fn delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8]> {
    let length = usize::try_from(varint(rest)?).map_err(|_| malformed())?;
    split(rest, length)
}

/// Appends the key of a length-delimited field.
pub(crate) fn put_key(number: u32, out: &mut Vec<u8>) {
    put_varint(key(number), out);
}

/// Appends a length.
pub(crate) fn put_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        #[allow(clippy::cast_possible_truncation)] // the low seven bits
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[allow(clippy::cast_possible_truncation)] // less than 0x80
    out.push(value as u8);
}

/// How long a field of so many bytes is, its key and length included.
pub(crate) fn field_len(number: u32, contents: usize) -> usize {
    prost::length_delimiter_len(key(number)) + prost::length_delimiter_len(contents) + contents
}

const fn key(number: u32) -> usize {
    (number as usize) << 3 | 2
}

fn varint(rest: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for (index, &byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *rest = &rest[index + 1..];
            return Ok(value);
        }
    }
    Err(malformed())
}

fn split<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length).ok_or_else(malformed)?;
    *rest = left;
    Ok(taken)
}

#[cold]
fn malformed() -> Error {
    Error::new("the bytes are no protobuf message, or not all of one")
}

#[cfg(test)]
mod tests {
    use super::{Fields, delimited, put_varint, varint};

    #[test]
    fn fields_of_every_kind_are_passed_over() {
        // 1: varint, 2: eight bytes, 3: text, 4: four bytes, 5: text, 3 again
        let message = b"\x08\x96\x01\x1112345678\x1a\x02hi\x251234\x2a\x01x\x1a\x03end";
        assert_eq!(Fields(message).find(3).unwrap(), Some(&b"end"[..]));
        assert_eq!(Fields(message).find(5).unwrap(), Some(&b"x"[..]));
        assert_eq!(Fields(message).find(1).unwrap(), None);
    }

    #[test]
    fn what_is_cut_short_or_no_protobuf_is_an_error_at_every_length() {
        let message = b"\x08\x96\x01\x1112345678\x1a\x02hi\x251234";
        let ends = [0, 3, 12, 16, 21];
        for length in 0..=message.len() {
            let whole = Fields(&message[..length]).find(3).is_ok();
            assert_eq!(whole, ends.contains(&length), "{length} bytes");
        }
        assert!(Fields(b"\x0b").find(1).is_err(), "a group");
        assert!(Fields(&[0xff; 11]).find(1).is_err(), "a varint of eleven bytes");
    }

    #[test]
    fn a_varint_reads_back_as_written() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, usize::MAX] {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            assert_eq!(bytes.len(), prost::length_delimiter_len(value));
            assert_eq!(varint(&mut &bytes[..]).unwrap(), value as u64);
        }
    }

    #[test]
    fn delimited_leaves_what_follows() {
        let mut rest = &b"\x02hi\x01!"[..];
        assert_eq!(delimited(&mut rest).unwrap(), b"hi");
        assert_eq!(delimited(&mut rest).unwrap(), b"!");
        assert!(rest.is_empty());
    }
}
