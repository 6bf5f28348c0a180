//! What happens at the proxy, for an audit log: logins, requests, and what plugins emit.
//!
//! The proxy says what is to be known and no more: plain data, no format. An [`AuditLog`] takes it
//! while a request waits; [`AuditQueue`] is the one that hands it to a task of its own.

mod queue;

pub use queue::AuditQueue;

use crate::exchange::State;
use http::header::USER_AGENT;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Where audit events go.
pub trait AuditLog: Send + Sync {
    /// Takes an event. A request waits meanwhile: this must not block.
    fn record(&self, event: AuditEvent);
}

/// Something that happened. No text in one that the proxy makes is longer than [`Self::TEXT`]
/// bytes: what a client sends decides on what is in them, not on how much memory they take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditEvent {
    /// A user was let in or turned away.
    Login(LoginEvent),
    /// A request was answered, or its client has left.
    Request(RequestEvent),
    /// A native plugin has emitted an event of its own.
    Plugin(PluginEvent),
}

/// A user was let in or turned away.
///
/// Basic authentication and bearer tokens have no sessions, each request carries its credentials.
/// So a success is recorded once for a connection and user: at the first request, and when another
/// user takes the connection over. A failure is recorded each time. A request without credentials
/// is none: it is only asked for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginEvent {
    /// When.
    pub time: SystemTime,
    /// The user; after a failure whoever the client claims to be, as text whatever bytes it sent,
    /// and empty if that cannot be told.
    pub user: String,
    /// The authenticator that decided: `basic` for the built-in one, else its plugin's name.
    pub method: String,
    /// The client, as the access log knows it.
    pub client: SocketAddr,
    /// The request's `User-Agent`; empty if there is none.
    pub user_agent: String,
    /// How it went.
    pub outcome: LoginOutcome,
}

/// How a login went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// The credentials are right.
    Success,
    /// The credentials are wrong.
    Failure {
        /// What is wrong, as far as it is known.
        error: &'static str,
    },
    /// The user is locked; whether the credentials are right was not looked at, or made no
    /// difference.
    Locked {
        /// The lock's message.
        message: Arc<str>,
    },
}

/// A request: recorded when the head of its answer is known, since its end may be hours away, or
/// when the client has left without waiting for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestEvent {
    /// When the answer was known.
    pub time: SystemTime,
    /// The authenticated user, if there is one.
    pub user: Option<String>,
    /// As in `GET`.
    pub method: String,
    /// The path as the client wrote it.
    pub path: String,
    /// What follows the question mark; empty if there is none.
    pub query: String,
    /// The status of the answer; 499 if the client has left before there was one.
    pub status: u16,
    /// The client, as the access log knows it.
    pub client: SocketAddr,
    /// From the request's head to that of its answer.
    pub duration: Duration,
}

/// An event of a native plugin's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginEvent {
    /// The plugin's name.
    pub plugin: String,
    /// The event, a JSON object unless the plugin is wrong.
    pub json: String,
}

impl AuditEvent {
    /// The longest text, in bytes; what is longer is cut.
    pub const TEXT: usize = 2048;
}

impl LoginOutcome {
    /// Why the user was not let in.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Success => None,
            Self::Failure { error } => Some(error),
            Self::Locked { message } => Some(message),
        }
    }
}

impl LoginEvent {
    pub(crate) fn new(state: &State, method: &str, user: &str, outcome: LoginOutcome) -> Self {
        let user_agent = state.request.headers.get(USER_AGENT);
        let user_agent =
            user_agent.map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
        Self {
            time: SystemTime::now(),
            user: bounded(user).to_owned(),
            method: method.to_owned(),
            client: state.peer,
            user_agent: bounded(&user_agent).to_owned(),
            outcome,
        }
    }
}

/// The text as events have it, and as locks are looked up by: a user that a plugin has seen in an
/// event is the user that it locks.
pub(crate) fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(AuditEvent::TEXT)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_letters() {
        assert_eq!(bounded("a"), "a");
        let long = format!("{}ü", "a".repeat(AuditEvent::TEXT - 1));
        assert_eq!(bounded(&long), "a".repeat(AuditEvent::TEXT - 1));
        assert_eq!(bounded(&"ü".repeat(5000)).len(), AuditEvent::TEXT);
    }
}
