//! `plugin.HandleEventRequest` and `plugin.HandleEventResponse` as they travel.
//!
//! The event inside stays bytes: an event that no plugin changes is not decoded on its way back.

use super::Failure;
use crate::pool::CallError;
use bytes::Bytes;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint,
};
use prost::encoding::{encoded_len_varint, key_len, skip_field};

/// What a plugin said of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Let it pass as it is.
    Keep,
    /// Let it not pass.
    Skip,
    /// This in its place: an `events.OneOf`, or a JSON object from a plugin that speaks that.
    Change(Bytes),
    /// The plugin could not handle it; its own words.
    Failed(String),
}

/// Appends a request: field 1 is the event.
pub(super) fn encode_request(one_of: &[u8], out: &mut Vec<u8>) {
    encode_key(1, WireType::LengthDelimited, out);
    encode_varint(one_of.len() as u64, out);
    out.extend_from_slice(one_of);
}

/// Appends a request with its length before it, as a batch has it.
pub(super) fn encode_delimited(one_of: &[u8], out: &mut Vec<u8>) {
    let length = key_len(1) + encoded_len_varint(one_of.len() as u64) + one_of.len();
    encode_varint(length as u64, out);
    encode_request(one_of, out);
}

impl Answer {
    /// Reads a response to a request with this event. An error says what the bytes are instead.
    pub fn decode(response: &[u8], one_of: &[u8]) -> Result<Self, String> {
        let damaged = |error| format!("no HandleEventResponse: {error}");
        let (mut success, mut error, mut event) = (false, "", None);
        let mut rest = response;
        while !rest.is_empty() {
            let (field, wire) = decode_key(&mut rest).map_err(damaged)?;
            match (field, wire) {
                (1, WireType::Varint) => success = decode_varint(&mut rest).map_err(damaged)? != 0,
                (2, WireType::LengthDelimited) => {
                    error = std::str::from_utf8(delimited(&mut rest)?)
                        .map_err(|_| "no HandleEventResponse: its error is not UTF-8".to_owned())?;
                }
                (3, WireType::LengthDelimited) => event = Some(delimited(&mut rest)?),
                (1..=3, _) => {
                    return Err(format!("no HandleEventResponse: field {field} is another"));
                }
                _ => {
                    skip_field(wire, field, &mut rest, DecodeContext::default())
                        .map_err(damaged)?;
                }
            }
        }
        Ok(match event {
            _ if !success && error.is_empty() => {
                Self::Failed("it reports no success, and no error".to_owned())
            }
            _ if !success => Self::Failed(error.to_owned()),
            // A blank event, as AssemblyScript's kit writes it, is none.
            None | Some([]) => Self::Skip,
            Some(event) if event == one_of => Self::Keep,
            Some(event) => Self::Change(Bytes::copy_from_slice(event)),
        })
    }
}

/// The responses to a batch, one after another. Whoever asked has counted them.
pub(super) fn each(mut output: &[u8]) -> impl Iterator<Item = Result<&[u8], Failure>> {
    std::iter::from_fn(move || {
        (!output.is_empty()).then(|| {
            delimited(&mut output).map_err(|error| CallError::Garbage(error.into()).into())
        })
    })
}

/// Takes bytes with their length before them.
fn delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let length = decode_varint(rest).map_err(|error| format!("a length that is none: {error}"))?;
    let taken = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
    let Some((bytes, behind)) = taken else {
        return Err(format!("{} bytes where it promised {length}", rest.len()));
    };
    *rest = behind;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use proto::plugin::HandleEventRequest;

    #[test]
    fn a_request_is_what_the_schema_says() {
        let mut bytes = Vec::new();
        encode_request(&[], &mut bytes);
        assert!(HandleEventRequest::decode(&bytes[..]).unwrap().event.is_some());
        let mut two = Vec::new();
        encode_delimited(&[], &mut two);
        encode_delimited(&[], &mut two);
        let mut rest = &two[..];
        assert_eq!(delimited(&mut rest).unwrap(), bytes);
        assert!(HandleEventRequest::decode_length_delimited(rest).is_ok());
    }

    #[test]
    fn each_answer_is_told_apart() {
        let event = [0x0a, 0x00];
        let with =
            |event: &[u8]| [&[8, 1, 0x1a, u8::try_from(event.len()).unwrap()], event].concat();
        assert_eq!(Answer::decode(&with(&event), &event), Ok(Answer::Keep));
        let changed = Answer::Change(Bytes::from_static(b"\x12\x00"));
        assert_eq!(Answer::decode(&with(b"\x12\x00"), &event), Ok(changed));
        assert_eq!(Answer::decode(&[8, 1], &event), Ok(Answer::Skip));
        assert_eq!(Answer::decode(&with(&[]), &event), Ok(Answer::Skip));
        assert_eq!(
            Answer::decode(b"\x08\x00\x12\x02no", &event),
            Ok(Answer::Failed("no".to_owned()))
        );
        assert!(matches!(Answer::decode(&[], &event), Ok(Answer::Failed(_))));
    }

    #[test]
    fn garbage_is_an_error_and_fields_of_the_future_are_not() {
        for bytes in [&[0xff][..], &[0x1a, 9, 1], &[0x0a, 0], &[0x12, 1, 0xff], &[0x08]] {
            assert!(Answer::decode(bytes, &[]).is_err(), "{bytes:?}");
        }
        assert_eq!(Answer::decode(&[8, 1, 0x78, 5], &[]), Ok(Answer::Skip));
    }
}
