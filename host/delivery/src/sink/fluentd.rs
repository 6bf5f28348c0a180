//! fluentd's HTTP input, as Teleport's event handler speaks to it.
//!
//! One POST an event with `Content-Type: application/json`; 200 and 204 mean that it has arrived. With
//! `batch` a POST has a JSON array of what has queued up, up to so many events, which fluentd's
//! `in_http` takes apart again. Events of a session's recording go to `<session-url>.<session>.log`.

use super::json::array;
use super::{Delivering, Failure, Limits, Sink};
use crate::client::{Endpoint, TlsFiles};
use crate::config::values;
use crate::event::Event;
use ::http::header::{CONTENT_TYPE, HeaderValue};
use ::http::{StatusCode, Uri};
use bytes::Bytes;
use serde::Deserialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The keys of `kind = "fluentd"`, those of `[forward.fluentd]` in the original's file among them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    /// Where events go.
    pub url: String,
    /// Where those of recordings go. Default: where all others do.
    pub session_url: Option<String>,
    /// Whom to trust. Default: the system's authorities.
    pub ca: Option<PathBuf>,
    /// Our certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Requests at a time, and so connections; to `session-url` as many again. Default: 10.
    #[serde(default = "max_connections")]
    pub max_connections: usize,
    /// Events in a request. Default: 1, and then a request has the event itself, no array.
    #[serde(default = "batch")]
    pub batch: usize,
    /// Bytes of events in a request. Default: 1 MiB.
    #[serde(default = "values::batch_bytes")]
    pub batch_bytes: usize,
    /// How long a request may take. Default: 10s.
    #[serde(default = "values::timeout", with = "values::duration")]
    pub timeout: Duration,
    /// Keys that are none of these: they are warned of, as the original passes over them.
    #[serde(flatten, deserialize_with = "values::keys")]
    pub unknown: Vec<String>,
}

/// Twice the original's five workers.
const fn max_connections() -> usize {
    10
}

const fn batch() -> usize {
    1
}

impl Config {
    /// With what is usual for the rest.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            session_url: None,
            ca: None,
            cert: None,
            key: None,
            max_connections: max_connections(),
            batch: batch(),
            batch_bytes: values::batch_bytes(),
            timeout: values::timeout(),
            unknown: Vec::new(),
        }
    }
}

/// Sends events to fluentd.
pub struct Fluentd {
    events: Endpoint,
    sessions: Option<Endpoint>,
    limits: Limits,
}

impl Fluentd {
    /// An error says what is wrong with a URL or file. Nothing is connected yet.
    pub fn new(config: &Config) -> Result<Self, String> {
        let tls = TlsFiles {
            ca: config.ca.as_deref(),
            cert: config.cert.as_deref(),
            key: config.key.as_deref(),
        };
        let endpoint = |url: &str| {
            // One of the two URLs may be without TLS.
            let tls = if url.starts_with("http:") { TlsFiles::default() } else { tls };
            let mut endpoint = Endpoint::new(url, tls, config.timeout)?;
            let json = HeaderValue::from_static("application/json");
            endpoint.headers_mut().insert(CONTENT_TYPE, json);
            Ok::<_, String>(endpoint)
        };
        let events = endpoint(&config.url).map_err(|error| format!("url: {error}"))?;
        let sessions = config.session_url.as_deref().map(endpoint).transpose();
        let sessions = sessions.map_err(|error| format!("session-url: {error}"))?;
        let limits = Limits {
            connections: config.max_connections,
            events: config.batch,
            bytes: config.batch_bytes,
        };
        Ok(Self { events, sessions, limits })
    }

    fn body(&self, events: &[Arc<Event>]) -> Bytes {
        if let ([event], 1) = (events, self.limits.events) {
            return event.json().clone();
        }
        let mut body = Vec::new();
        array(events, &mut body);
        body.into()
    }

    async fn post(&self, events: &[Arc<Event>]) -> Result<(), Failure> {
        let session = events.first().and_then(|event| event.session());
        let body = self.body(events);
        let answer = match (&self.sessions, session) {
            (Some(endpoint), Some(session)) => {
                let uri = session_uri(endpoint.uri(), session).map_err(Failure::Refused)?;
                endpoint.send_to(uri, body).await
            }
            _ => self.events.send(body).await,
        };
        let answer = answer.map_err(Failure::passing)?;
        match answer.status {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            _ => Err(answer.failure()),
        }
    }
}

impl Sink for Fluentd {
    fn deliver<'a>(&'a self, events: &'a [Arc<Event>]) -> Delivering<'a> {
        Box::pin(self.post(events))
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn destination<'a>(&self, event: &'a Event) -> &'a str {
        self.sessions.as_ref().and(event.session()).unwrap_or_default()
    }
}

/// `<session-url>.<session>.log`.
fn session_uri(url: &Uri, session: &str) -> Result<Uri, String> {
    let mut text = url.to_string();
    text.push('.');
    for byte in session.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => text.push(byte.into()),
            // Into a String: it cannot fail.
            false => _ = write!(text, "%{byte:02X}"),
        }
    }
    text.push_str(".log");
    text.parse().map_err(|error| format!("{text:?} is no URL: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_a_url_of_its_own() {
        let uri = |url: &str, session| session_uri(&url.parse().unwrap(), session).unwrap();
        assert_eq!(
            uri("https://fluentd:8888/session", "5b2a-1"),
            "https://fluentd:8888/session.5b2a-1.log"
        );
        assert_eq!(uri("http://fluentd/s", "a/../?b"), "http://fluentd/s.a%2F..%2F%3Fb.log");
    }
}
