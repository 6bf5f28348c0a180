//! Everything that can go wrong with a request, and the status that the client sees of it.

use crate::body::BodyFailure;
use http::{HeaderValue, StatusCode};
use plugin_interface::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

/// Why a request is answered by us and not by the upstream. The text is for the log: clients see
/// the status only, and of a lock its message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The request breaks HTTP's rules.
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    /// The request asks for something that a reverse proxy does not do.
    #[error("the request asks for what is not done here: {what}")]
    Unsupported { status: StatusCode, what: &'static str },
    /// Nobody has said who the client is.
    #[error("no credentials")]
    Unauthenticated { challenges: Vec<HeaderValue> },
    /// The user may not log in for now. Its message, unlike all other texts, is for the client.
    #[error("the user {user:?} is locked: {message:?}")]
    Locked { user: String, message: Arc<str> },
    /// A plugin, a patch or a built-in part failed or panicked.
    #[error("{plugin} {}: {error}", if panicked(error) { "panicked" } else { "failed" })]
    Plugin { plugin: Arc<str>, error: Error },
    /// A plugin has not ended a deferred step in time.
    #[error("{plugin} has not ended its step within its deadline, {limit:?}")]
    Overdue { plugin: Arc<str>, limit: Duration },
    /// What the request cannot go on without is not called for now.
    #[error("{plugin} is disabled by {by}")]
    Disabled { plugin: Arc<str>, by: &'static str },
    /// The request's body did not arrive.
    #[error("the request's body failed: {0}")]
    RequestBody(BodyFailure),
    /// The upstream cannot be reached.
    #[error("cannot connect to the upstream {upstream}: {error}")]
    Connect { upstream: String, error: String },
    /// The upstream cannot be reached in time.
    #[error("the upstream {upstream} did not take the connection in time: {error}")]
    ConnectTimeout { upstream: String, error: String },
    /// The upstream has not answered in time.
    #[error("the upstream {upstream} has not answered within {limit:?}")]
    Timeout { upstream: String, limit: Duration },
    /// The time for the whole request is over, whoever took it.
    #[error("there is no answer within --request-timeout, {limit:?}")]
    TooLong { limit: Duration },
    /// The upstream has broken off, or does not speak HTTP.
    #[error("the upstream {upstream} failed: {error}")]
    Upstream { upstream: String, error: String },
}

fn panicked(error: &Error) -> bool {
    error.kind() == ErrorKind::PANICKED
}

impl Failure {
    /// What the client is told.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unsupported { status, .. } => *status,
            Self::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
            Self::Locked { .. } => StatusCode::FORBIDDEN,
            Self::Plugin { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::RequestBody(BodyFailure::Idle(_)) => StatusCode::REQUEST_TIMEOUT,
            Self::RequestBody(BodyFailure::Plugin(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::RequestBody(BodyFailure::Incoming(_)) => StatusCode::BAD_REQUEST,
            Self::Connect { .. } | Self::Upstream { .. } => StatusCode::BAD_GATEWAY,
            Self::Disabled { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Overdue { .. }
            | Self::ConnectTimeout { .. }
            | Self::Timeout { .. }
            | Self::TooLong { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Whether the connection is of no more use: its framing, or the rest of a body, is in doubt.
    pub(crate) fn closes(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::Unsupported { .. } | Self::RequestBody(_))
    }

    /// Whether it says nothing new to an operator: it is the client's doing, or was logged when it
    /// began.
    pub(crate) fn is_routine(&self) -> bool {
        self.status().is_client_error()
            || matches!(self, Self::Unsupported { .. } | Self::Disabled { .. })
    }
}
