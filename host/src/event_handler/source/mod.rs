//! Where events are from: a Teleport cluster (`host_teleport`), or lines of a file.

mod cursor;
mod head;
mod lines;
mod marks;
mod metrics;
mod reader;

pub(crate) use head::Head;
pub(crate) use lines::{LineSource, Lines};
pub(crate) use metrics::LineMetrics;

use bytes::Bytes;
use std::sync::Arc;
use std::time::SystemTime;

/// An event as a source gives it.
pub(crate) struct Incoming {
    pub(crate) json: Bytes,
    pub(crate) kind: Arc<str>,
    pub(crate) uid: String,
    pub(crate) time: Option<SystemTime>,
    /// Of a recording: its session.
    pub(crate) session: Option<Arc<str>>,
    pub(crate) done: Done,
}

/// For whoever has brought an event everywhere. If it is dropped instead the cursor stays before it.
pub(crate) enum Done {
    Teleport(host_teleport::Done),
    Line(marks::Done),
}

impl Done {
    pub(crate) fn done(self) {
        match self {
            Self::Teleport(done) => done.done(),
            Self::Line(done) => done.done(),
        }
    }
}

impl From<host_teleport::Read> for Incoming {
    fn from(read: host_teleport::Read) -> Self {
        let host_teleport::Read { json, kind, uid, time, session, done } = read;
        Self { json, kind, uid, time, session, done: Done::Teleport(done) }
    }
}
