//! What can be wrong with an event.

/// Why an event could not be converted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The text is not JSON; the source says where.
    #[error("the event is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The text is not UTF-8 from this byte on.
    #[error("the event is not valid UTF-8: byte {0}")]
    Utf8(usize),
    /// The text is JSON, but no event.
    #[error("the event is not a JSON object whose key `event` holds its type as a string")]
    Untyped,
    /// The `events.OneOf` is empty, or its case is none of the schema's.
    #[error("the event's protobuf holds no case of events.OneOf that this schema knows")]
    NoCase,
    /// The protobuf cannot be read.
    #[error("the event's protobuf is wrong at {at}: {fault}")]
    Protobuf {
        /// The place, as keys of the JSON form with dots between them.
        at: String,
        /// What is wrong there.
        fault: Fault,
    },
    /// The `Data` of an event of unknown type has been replaced by something else than an event.
    #[error("the data of the event of unknown type is not a JSON object: {0}")]
    Data(serde_json::Error),
    /// It has become larger than an event may at once.
    #[error("the event became {by} bytes larger, and {most} is most")]
    Grown {
        /// So much larger.
        by: usize,
        /// So much larger it may become.
        most: usize,
    },
}

/// What is wrong with a field in protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A length, a tag or a number goes past the end or is too long.
    #[error("it is cut short or damaged")]
    Malformed,
    /// The field is there in another wire type than the schema's.
    #[error("its wire type is not the schema's")]
    WireType,
    /// A string is not UTF-8.
    #[error("it is not valid UTF-8")]
    Utf8,
    /// A time that RFC 3339 cannot express.
    #[error("it is no time between the years 1 and 9999")]
    Time,
    /// Infinity or not a number, which JSON does not have.
    #[error("it is a number that JSON does not have")]
    Number,
    /// A Struct deeper than [`super::MAX_DEPTH`].
    #[error("it is nested too deeply")]
    Depth,
}

impl From<Fault> for CodecError {
    fn from(fault: Fault) -> Self {
        Self::Protobuf { at: String::new(), fault }
    }
}

impl CodecError {
    /// The same error, seen from outside of the member `key`.
    pub(super) fn within(mut self, key: &str) -> Self {
        if let Self::Protobuf { at, .. } = &mut self {
            let dot = if at.is_empty() { "" } else { "." };
            *at = format!("{key}{dot}{at}");
        }
        self
    }
}
