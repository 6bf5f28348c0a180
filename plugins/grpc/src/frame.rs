//! Messages as gRPC frames them on the wire: a flag, four bytes of length, the message.

use crate::status::{Code, Status};
use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

const PREFIX: usize = 5;

/// A message with its frame; none if it has more than `limit` bytes.
pub(crate) fn framed(message: &impl Message, limit: usize) -> Option<Vec<u8>> {
    let length = message.encoded_len();
    let prefix = u32::try_from(length).ok().filter(|_| length <= limit)?;
    let mut bytes = Vec::with_capacity(PREFIX + length);
    bytes.push(0); // not compressed
    bytes.extend(prefix.to_be_bytes());
    message.encode(&mut bytes).ok()?;
    Some(bytes)
}

/// Finds the messages in what arrives, wherever its chunks begin and end.
///
/// Holds what has come of the next message, so no more than the limit and one chunk: what a length
/// announces is not believed before it is there.
#[derive(Debug)]
pub(crate) struct Deframer {
    buffer: BytesMut,
    limit: usize,
}

impl Deframer {
    /// For messages of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next message if all of it is there.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(&[flag, a, b, c, d]) = self.buffer.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        match flag {
            0 => {}
            1 => return Err(internal("the service has compressed a message, unasked")),
            _ => return Err(internal("the service has sent what is no gRPC message")),
        }
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > self.limit {
            let limit = self.limit;
            let text = format!("a message of {length} bytes; {limit} are allowed");
            return Err(Status::new(Code::ResourceExhausted, text).with_http(502));
        }
        if self.buffer.len() - PREFIX < length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Whether nothing of a message is there whose rest is missing.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

fn internal(message: &str) -> Status {
    Status::new(Code::Internal, message)
}

#[cfg(test)]
mod tests {
    use super::{Deframer, framed};
    use crate::status::Code;
    use proptest::prelude::*;

    #[test]
    fn a_message_that_is_too_large_is_not_framed() {
        let message = "abc".to_owned(); // google.protobuf.StringValue: two bytes more
        assert_eq!(framed(&message, 5).unwrap(), b"\0\0\0\0\x05\x0a\x03abc");
        assert_eq!(framed(&message, 4), None);
    }

    #[test]
    fn what_is_no_message_is_refused_before_it_is_there() {
        let error = |bytes: &[u8]| {
            let mut deframer = Deframer::new(10);
            deframer.push(bytes);
            deframer.next().unwrap_err()
        };
        assert_eq!(
            error(b"\x01\0\0\0\x05").message,
            "the service has compressed a message, unasked"
        );
        assert_eq!(error(b"HTTP/1.1").message, "the service has sent what is no gRPC message");
        let large = error(b"\0\xff\xff\xff\xff");
        assert_eq!((large.code, large.http()), (Code::ResourceExhausted, 502));
        assert_eq!(large.message, "a message of 4294967295 bytes; 10 are allowed");
    }

    proptest! {
        #[test]
        fn messages_are_found_wherever_the_chunks_end(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8),
            sizes in prop::collection::vec(1_usize..9, 1..9),
        ) {
            let mut wire = Vec::new();
            for message in &messages {
                wire.push(0);
                wire.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
                wire.extend(message);
            }
            let (mut deframer, mut found) = (Deframer::new(20), Vec::new());
            let mut sizes = sizes.iter().cycle();
            let mut rest = &wire[..];
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                deframer.push(chunk);
                while let Some(message) = deframer.next().unwrap() {
                    found.push(message.to_vec());
                }
                rest = after;
            }
            prop_assert_eq!(found, messages);
            prop_assert!(deframer.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic_or_loop(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut deframer = Deframer::new(64);
            deframer.push(&bytes);
            let mut left = bytes.len();
            while let Ok(Some(message)) = deframer.next() {
                left = left.checked_sub(message.len() + 5).unwrap();
            }
        }
    }
}
