//! What a header section says about where its message ends.

/// The facts of one request head that decide what follows it, gathered line by line.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) http_10: bool,
    host: bool,
    pub(super) framing: Framing,
    /// Whether what follows the message may be another protocol.
    pub(super) may_switch: bool,
}

/// How a request body is delimited (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Framing {
    #[default]
    NoBody,
    Length(u64),
    Chunked,
}

/// How a field's value has to be read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// Has no say in framing.
    Any,
    Length(Digits),
    /// How much of `chunked` has been seen.
    Coding(usize),
}

impl Head {
    /// Takes note of a field by its name, or says why this head may not have it.
    pub(super) fn field(&mut self, name: &[u8]) -> Result<Value, &'static str> {
        match (Known::from_name(name), self.framing) {
            (None, _) => Ok(Value::Any),
            // RFC 9112 section 3.2: a request with more than one Host is answered with 400.
            (Some(Known::Host), _) if self.host => Err("more than one Host"),
            (Some(Known::Host), _) => {
                self.host = true;
                Ok(Value::Any)
            }
            (Some(Known::Upgrade), _) => {
                // RFC 9110 section 7.8: Upgrade in HTTP/1.0 is ignored, and hyper does.
                self.may_switch |= !self.http_10;
                Ok(Value::Any)
            }
            // RFC 9112 section 6.1: both together "ought to be handled as an error".
            (Some(Known::ContentLength), Framing::Chunked) => {
                Err("Content-Length beside Transfer-Encoding")
            }
            (Some(Known::ContentLength), _) => Ok(Value::Length(Digits::None)),
            (Some(Known::TransferEncoding), Framing::Length(_)) => {
                Err("Transfer-Encoding beside Content-Length")
            }
            (Some(Known::TransferEncoding), Framing::Chunked) => {
                Err("more than one Transfer-Encoding")
            }
            // RFC 9112 section 6.1: the framing of such a message is faulty.
            (Some(Known::TransferEncoding), _) if self.http_10 => {
                Err("Transfer-Encoding in HTTP/1.0")
            }
            (Some(Known::TransferEncoding), Framing::NoBody) => {
                self.framing = Framing::Chunked;
                Ok(Value::Coding(0))
            }
        }
    }

    /// Repeating one length is harmless, since hyper hands on the first line only; two that
    /// differ are the classic of request smuggling (RFC 9112 sections 6.3 and 11.2).
    pub(super) fn content_length(&mut self, length: u64) -> Result<(), &'static str> {
        match self.framing {
            Framing::Length(earlier) if earlier != length => Err("two different Content-Lengths"),
            _ => {
                self.framing = Framing::Length(length);
                Ok(())
            }
        }
    }
}

/// The fields that the guard reads.
enum Known {
    Host,
    Upgrade,
    ContentLength,
    TransferEncoding,
}

impl Known {
    fn from_name(name: &[u8]) -> Option<Known> {
        // The length first: it dismisses nearly all fields without a comparison.
        let (spelling, known): (&[u8], _) = match name.len() {
            4 => (b"host", Known::Host),
            7 => (b"upgrade", Known::Upgrade),
            14 => (b"content-length", Known::ContentLength),
            17 => (b"transfer-encoding", Known::TransferEncoding),
            _ => return None,
        };
        name.eq_ignore_ascii_case(spelling).then_some(known)
    }
}

/// Whether a field decides framing or routing and so has no place in a trailer section
/// (RFC 9110 section 6.5.1).
pub(super) fn is_for_heads_only(name: &[u8]) -> bool {
    Known::from_name(name).is_some()
}

/// `OWS 1*DIGIT OWS`, read byte by byte.
#[derive(Clone, Copy, Debug)]
pub(super) enum Digits {
    None,
    Some(u64),
    Ended(u64),
}

impl Digits {
    pub(super) fn push(self, byte: u8) -> Result<Digits, &'static str> {
        match (self, byte) {
            (Digits::None, b' ' | b'\t') => Ok(Digits::None),
            (Digits::Some(number) | Digits::Ended(number), b' ' | b'\t') => {
                Ok(Digits::Ended(number))
            }
            (Digits::None, b'0'..=b'9') => Ok(Digits::Some(u64::from(byte - b'0'))),
            (Digits::Some(number), b'0'..=b'9') => number
                .checked_mul(10)
                .and_then(|number| number.checked_add(u64::from(byte - b'0')))
                .map(Digits::Some)
                .ok_or("a Content-Length too large to count"),
            _ => Err(NOT_A_NUMBER),
        }
    }

    pub(super) fn finish(self) -> Result<u64, &'static str> {
        match self {
            Digits::None => Err(NOT_A_NUMBER),
            Digits::Some(number) | Digits::Ended(number) => Ok(number),
        }
    }
}

pub(super) const NOT_A_NUMBER: &str = "a Content-Length that is not a number";

/// `OWS "chunked" OWS`, read byte by byte: `matched` is how much of the word has been seen.
/// Any other coding would have to be undone before the body can be delimited, and nothing here
/// undoes one (RFC 9112 section 6.1).
pub(super) fn push_coding(matched: usize, byte: u8) -> Result<usize, &'static str> {
    match (CHUNKED.get(matched), byte) {
        (Some(_), b' ' | b'\t') if matched == 0 => Ok(0),
        (None, b' ' | b'\t') => Ok(matched),
        (Some(expected), byte) if byte.eq_ignore_ascii_case(expected) => Ok(matched + 1),
        _ => Err(NOT_CHUNKED),
    }
}

pub(super) fn finish_coding(matched: usize) -> Result<(), &'static str> {
    if matched == CHUNKED.len() { Ok(()) } else { Err(NOT_CHUNKED) }
}

const CHUNKED: &[u8] = b"chunked";
pub(super) const NOT_CHUNKED: &str = "a Transfer-Encoding other than chunked";
