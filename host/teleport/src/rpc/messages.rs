//! The messages of the calls, as the schema numbers them. There are few, and what is large in them stays
//! bytes: hence by hand.

use crate::time::Stamp;
use bytes::Bytes;
use prost::Message;

/// `teleport.auditlog.v1.GetUnstructuredEventsRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Search {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
    #[prost(message, optional, tag = "2")]
    pub(super) start: Option<Stamp>,
    #[prost(message, optional, tag = "3")]
    pub(super) end: Option<Stamp>,
    #[prost(string, repeated, tag = "4")]
    pub(super) types: Vec<String>,
    #[prost(int32, tag = "5")]
    pub(super) limit: i32,
    #[prost(string, tag = "6")]
    pub(super) start_key: String,
    /// 0 is descending, 1 ascending.
    #[prost(int32, tag = "7")]
    pub(super) order: i32,
}

/// `teleport.auditlog.v1.EventsUnstructured`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Page {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) items: Vec<Bytes>,
    #[prost(string, tag = "2")]
    pub(crate) last_key: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ChunksOf {
    #[prost(message, optional, tag = "1")]
    pub(super) date: Option<Stamp>,
}

/// `teleport.auditlog.v1.EventExportChunk`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Chunk {
    #[prost(string, tag = "1")]
    pub(crate) chunk: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Export {
    #[prost(message, optional, tag = "1")]
    pub(super) date: Option<Stamp>,
    #[prost(string, tag = "2")]
    pub(super) chunk: String,
    #[prost(string, tag = "3")]
    pub(super) cursor: String,
}

/// `teleport.auditlog.v1.ExportEventUnstructured`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Exported {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) event: Bytes,
    #[prost(string, tag = "2")]
    pub(crate) cursor: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Recording {
    #[prost(string, tag = "1")]
    pub(super) session: String,
    #[prost(int32, tag = "2")]
    pub(super) start: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Nothing {}

/// `proto.PingResponse`, as far as it says whom we speak with.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pong {
    #[prost(string, tag = "1")]
    pub(crate) cluster: String,
    #[prost(string, tag = "2")]
    pub(crate) version: String,
}
