//! What the plugin was told, as requests need it.

use crate::call::Call;
use crate::json::Mapping;
use crate::metadata::{Metadata, parse_timeout};
use crate::status::{Code, Status};
use plugin_interface::{Exchange, tracing};
use std::time::Duration;

/// The same for all requests.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The service's URL without a path.
    pub(crate) origin: String,
    pub(crate) metadata: Metadata,
    /// What a call with one answer may take.
    pub(crate) timeout: Duration,
    /// What one with a stream of answers may take, if there is a limit.
    pub(crate) stream_timeout: Option<Duration>,
    /// Bytes of a message in either form.
    pub(crate) message_limit: usize,
    pub(crate) mapping: Mapping,
}

impl Settings {
    /// How long a call may take: what is configured, or less if the client says so.
    pub(crate) fn time_for(
        &self,
        call: &Call,
        exchange: &Exchange<'_>,
    ) -> Result<Option<Duration>, Status> {
        let ours = match call.method.is_server_streaming() {
            true => self.stream_timeout,
            false => Some(self.timeout),
        };
        let Some(text) = exchange.header("grpc-timeout") else { return Ok(ours) };
        let theirs = parse_timeout(text).ok_or_else(|| {
            Status::new(Code::InvalidArgument, "Grpc-Timeout is not like 500m, 10S or 1M")
        })?;
        Ok(Some(ours.map_or(theirs, |ours| ours.min(theirs))))
    }

    /// The status for an answer that is no message of its type, or has no JSON.
    pub(crate) fn unreadable(call: &Call, error: &str) -> Status {
        tracing::warn!(call = call.path, error, "an answer cannot be written as JSON");
        let text = "the service's answer does not fit its description";
        Status::new(Code::Internal, text)
    }
}
