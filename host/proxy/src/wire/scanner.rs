//! Follows the framing of HTTP/1 requests through a stream of bytes.
//!
//! The grammar is that of RFC 9112 without its leniencies: wherever two recipients could see a
//! message end at different places, the scanner refuses instead of choosing. It does not
//! validate what has no say in framing (targets, field values); the HTTP parser behind it does.

use memchr::{memchr2, memchr3};

use super::head::{self, Framing, Head, Value};
use super::token::{self, Held};

/// A byte that may not stand where it does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Violation {
    /// The index of the byte in the slice that was scanned last.
    pub(crate) at: usize,
    pub(crate) reason: &'static str,
}

/// The state of one connection's stream of requests.
///
/// The stream may be cut anywhere: each violation is found at one certain byte, on reading that
/// byte and never later, however the bytes were split. After a violation there is nothing left
/// to follow and the scanner must not be fed again.
#[derive(Debug)]
pub(crate) struct Scanner {
    state: State,
    head: Head,
    /// Whether the field lines being read are trailers.
    in_trailers: bool,
    held: Held,
}

/// Where in the stream the scanner is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// No message has begun, or the last one has ended.
    Between,
    Head,
    /// In content or its framing, trailers included.
    Body,
    /// Past the last message that is certain to be HTTP/1.
    Switched,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// At the very beginning of a connection, this much of `HTTP2` seen.
    Preface(usize),
    Start,
    Method,
    Target,
    Version,
    FieldName,
    FieldValue(Value),
    /// After a CR, with what comes after the LF.
    Lf(After),
    Content(u64),
    ChunkSize(Option<u64>),
    /// In whitespace between a chunk's size and its extension.
    ChunkSpace(u64),
    ChunkExtension(u64),
    ChunkData(u64),
    ChunkEnd,
    /// No longer HTTP/1.
    Switched,
}

#[derive(Clone, Copy, Debug)]
enum After {
    EmptyLine,
    FieldLine,
    Fields,
    ChunkSize(u64),
    Chunk,
}

/// How an HTTP/2 connection begins. Whatever comes after these bytes, hyper either reads HTTP/2
/// or refuses the version, so there are no HTTP/1 messages to follow.
const HTTP2: &[u8] = b"PRI * HTTP/2.0";

const BARE_LF: &str = "a line that ends without CR";
const BARE_CR: &str = "CR without LF";
const REQUEST_LINE: &str = "a malformed request line";
const CHUNK_SIZE: &str = "a malformed chunk size";

type Step = Result<usize, Violation>;

fn refuse<T>(at: usize, reason: &'static str) -> Result<T, Violation> {
    Err(Violation { at, reason })
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Scanner {
            state: State::Preface(0),
            head: Head::default(),
            in_trailers: false,
            held: Held::default(),
        }
    }

    /// Reads the next bytes of the stream up to their end or the first violation.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Option<Violation> {
        let mut at = 0;
        while at < bytes.len() {
            match self.step(&bytes[at..]) {
                Ok(read) => at += read,
                Err(found) => return Some(Violation { at: at + found.at, ..found }),
            }
        }
        None
    }

    /// What the next byte of the stream belongs to; after a violation, what its byte did.
    pub(crate) fn place(&self) -> Place {
        match self.state {
            State::Preface(0) | State::Start | State::Lf(After::EmptyLine) => Place::Between,
            State::Preface(_) | State::Method | State::Target | State::Version => Place::Head,
            State::FieldName
            | State::FieldValue(_)
            | State::Lf(After::FieldLine | After::Fields)
                if !self.in_trailers =>
            {
                Place::Head
            }
            State::Switched => Place::Switched,
            _ => Place::Body,
        }
    }

    /// Reads some of `rest`, which is not empty, and returns how much. It reads nothing only
    /// when it changes to a state that does.
    fn step(&mut self, rest: &[u8]) -> Step {
        match self.state {
            State::Preface(matched) => Ok(self.preface(matched, rest[0])),
            State::Start => Ok(self.start(rest[0])),
            State::Method => self.method(rest),
            State::Target => self.target(rest),
            State::Version => self.version(rest),
            State::FieldName => self.field_name(rest),
            State::FieldValue(value) => self.field_value(value, rest),
            State::Lf(after) => self.line_feed(after, rest[0]),
            State::Content(left) => Ok(self.content(left, rest)),
            State::ChunkSize(size) => self.chunk_size(size, rest[0]),
            State::ChunkSpace(size) => self.chunk_space(size, rest[0]),
            State::ChunkExtension(size) => self.chunk_extension(size, rest),
            State::ChunkData(left) => Ok(self.chunk_data(left, rest)),
            State::ChunkEnd => self.chunk_end(rest[0]),
            State::Switched => Ok(rest.len()),
        }
    }

    fn preface(&mut self, matched: usize, byte: u8) -> usize {
        if byte == HTTP2[matched] {
            let matched = matched + 1;
            self.state =
                if matched == HTTP2.len() { State::Switched } else { State::Preface(matched) };
            return 1;
        }
        // HTTP/1 after all (`POST`, `PRI / HTTP/1.1`): read what was taken for the preface as
        // what it is. No proper prefix of it has a violation.
        self.state = State::Start;
        let violation = self.scan(&HTTP2[..matched]);
        debug_assert_eq!(violation, None);
        0
    }

    fn start(&mut self, byte: u8) -> usize {
        if byte == b'\r' {
            // RFC 9112 section 2.2: empty lines before a request line are ignored.
            self.state = State::Lf(After::EmptyLine);
            return 1;
        }
        self.head = Head::default();
        self.in_trailers = false;
        self.state = State::Method;
        0
    }

    /// RFC 9112 section 3: single spaces, and nothing that a lenient parser may split elsewhere.
    fn method(&mut self, rest: &[u8]) -> Step {
        let end = token::len(rest);
        let Some(&delimiter) = rest.get(end) else { return Ok(self.held.push(rest)) };
        let method = self.held.complete(&rest[..end]);
        match delimiter {
            b' ' if !method.is_empty() => {
                self.head.may_switch = method == b"CONNECT";
                self.held.clear();
                self.state = State::Target;
                Ok(end + 1)
            }
            b'\n' => refuse(end, BARE_LF),
            _ => refuse(end, REQUEST_LINE),
        }
    }

    fn target(&mut self, rest: &[u8]) -> Step {
        let Some(end) = memchr3(b' ', b'\r', b'\n', rest) else { return Ok(rest.len()) };
        match rest[end] {
            b' ' => {
                self.state = State::Version;
                Ok(end + 1)
            }
            b'\n' => refuse(end, BARE_LF),
            _ => refuse(end, REQUEST_LINE),
        }
    }

    fn version(&mut self, rest: &[u8]) -> Step {
        let Some(end) = memchr2(b'\r', b'\n', rest) else { return Ok(self.held.push(rest)) };
        let version = self.held.complete(&rest[..end]);
        self.head.http_10 = match (version, rest[end]) {
            (_, b'\n') => return refuse(end, BARE_LF),
            (b"HTTP/1.1", _) => false,
            (b"HTTP/1.0", _) => true,
            _ => return refuse(end, REQUEST_LINE),
        };
        self.held.clear();
        self.state = State::Lf(After::FieldLine);
        Ok(end + 1)
    }

    fn field_name(&mut self, rest: &[u8]) -> Step {
        let end = token::len(rest);
        let Some(&delimiter) = rest.get(end) else { return Ok(self.held.push(rest)) };
        let name = self.held.complete(&rest[..end]);
        let value = match (delimiter, name.is_empty()) {
            (b':', false) if self.in_trailers => {
                if head::is_for_heads_only(name) {
                    return refuse(end, "a trailer that only a head may have");
                }
                Value::Any
            }
            (b':', false) => match self.head.field(name) {
                Ok(value) => value,
                Err(reason) => return refuse(end, reason),
            },
            (b'\r', true) => {
                self.state = State::Lf(After::Fields);
                return Ok(end + 1);
            }
            (b'\n', _) => return refuse(end, BARE_LF),
            // RFC 9112 section 5.2, and before the first field line section 2.2.
            (b' ' | b'\t', true) => return refuse(end, "a line that begins with whitespace"),
            // RFC 9112 section 5.1: this difference in reading has been exploited.
            (b' ' | b'\t', false) => return refuse(end, "whitespace before a colon"),
            (b':', true) => return refuse(end, "a field without a name"),
            (b'\r', false) => return refuse(end, "a field without a colon"),
            _ => return refuse(end, "a malformed field name"),
        };
        self.held.clear();
        self.state = State::FieldValue(value);
        Ok(end + 1)
    }

    fn field_value(&mut self, value: Value, rest: &[u8]) -> Step {
        let (end, reading) = match value {
            Value::Any => match memchr2(b'\r', b'\n', rest) {
                Some(end) => (end, Ok(value)),
                None => return Ok(rest.len()),
            },
            _ if matches!(rest[0], b'\r' | b'\n') => (0, Ok(value)),
            Value::Length(digits) => (0, digits.push(rest[0]).map(Value::Length)),
            Value::Coding(matched) => (0, head::push_coding(matched, rest[0]).map(Value::Coding)),
        };
        let reading = reading.or_else(|reason| refuse(end, reason))?;
        match rest[end] {
            b'\n' => return refuse(end, BARE_LF),
            b'\r' => {
                self.finish_value(reading).or_else(|reason| refuse(end, reason))?;
                self.state = State::Lf(After::FieldLine);
            }
            _ => self.state = State::FieldValue(reading),
        }
        Ok(end + 1)
    }

    fn finish_value(&mut self, value: Value) -> Result<(), &'static str> {
        match value {
            Value::Any => Ok(()),
            Value::Length(digits) => self.head.content_length(digits.finish()?),
            Value::Coding(matched) => head::finish_coding(matched),
        }
    }

    fn line_feed(&mut self, after: After, byte: u8) -> Step {
        // RFC 9112 section 2.2: a bare CR is invalid anywhere but in content.
        if byte != b'\n' {
            return refuse(0, BARE_CR);
        }
        self.state = match after {
            After::EmptyLine => State::Start,
            After::FieldLine => State::FieldName,
            After::Fields if self.in_trailers => self.end_of_message(),
            After::Fields => match self.head.framing {
                Framing::Chunked => State::ChunkSize(None),
                Framing::NoBody | Framing::Length(0) => self.end_of_message(),
                Framing::Length(length) => State::Content(length),
            },
            After::ChunkSize(0) => {
                self.in_trailers = true;
                State::FieldName
            }
            After::ChunkSize(size) => State::ChunkData(size),
            After::Chunk => State::ChunkSize(None),
        };
        Ok(1)
    }

    fn end_of_message(&self) -> State {
        if self.head.may_switch { State::Switched } else { State::Start }
    }

    fn content(&mut self, left: u64, rest: &[u8]) -> usize {
        let (read, left) = take(left, rest);
        self.state = if left == 0 { self.end_of_message() } else { State::Content(left) };
        read
    }

    /// RFC 9112 section 7.1: `chunk-size = 1*HEXDIG`, and it must not overflow.
    fn chunk_size(&mut self, size: Option<u64>, byte: u8) -> Step {
        self.state = match (size, byte, char::from(byte).to_digit(16)) {
            (size, _, Some(digit)) => match size.unwrap_or(0).checked_mul(16) {
                Some(size) => State::ChunkSize(Some(size | u64::from(digit))),
                None => return refuse(0, "a chunk size too large to count"),
            },
            (Some(size), b'\r', _) => State::Lf(After::ChunkSize(size)),
            (Some(size), b';', _) => State::ChunkExtension(size),
            (Some(size), b' ' | b'\t', _) => State::ChunkSpace(size),
            (_, b'\n', _) => return refuse(0, BARE_LF),
            _ => return refuse(0, CHUNK_SIZE),
        };
        Ok(1)
    }

    /// RFC 9112 section 7.1.1: whitespace may only come before an extension.
    fn chunk_space(&mut self, size: u64, byte: u8) -> Step {
        match byte {
            b' ' | b'\t' => {}
            b';' => self.state = State::ChunkExtension(size),
            b'\n' => return refuse(0, BARE_LF),
            _ => return refuse(0, CHUNK_SIZE),
        }
        Ok(1)
    }

    fn chunk_extension(&mut self, size: u64, rest: &[u8]) -> Step {
        let Some(end) = memchr2(b'\r', b'\n', rest) else { return Ok(rest.len()) };
        if rest[end] == b'\n' {
            return refuse(end, BARE_LF);
        }
        self.state = State::Lf(After::ChunkSize(size));
        Ok(end + 1)
    }

    fn chunk_data(&mut self, left: u64, rest: &[u8]) -> usize {
        let (read, left) = take(left, rest);
        self.state = if left == 0 { State::ChunkEnd } else { State::ChunkData(left) };
        read
    }

    fn chunk_end(&mut self, byte: u8) -> Step {
        if byte != b'\r' {
            return refuse(0, "a chunk longer than its size");
        }
        self.state = State::Lf(After::Chunk);
        Ok(1)
    }
}

/// How much of `rest` belongs to content of which `left` bytes are missing, and how many bytes
/// are missing after that.
fn take(left: u64, rest: &[u8]) -> (usize, u64) {
    let read = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
    (read, left - read as u64)
}

#[cfg(test)]
mod tests;
