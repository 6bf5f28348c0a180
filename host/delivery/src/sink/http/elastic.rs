//! The bulk API of Elasticsearch and `OpenSearch`.
//!
//! The URL ends in `/_bulk`, or in `/INDEX/_bulk`. An event is created with its uid as identity: one
//! that comes a second time is there already, which is as good as taken. Events of a recording have the
//! session before it, since the audit log may have the same event.
//!
//! The answer has a status for each event. Those with 429 or 5xx are sent again, those refused for what
//! is in them are dead letters, the others have arrived.

use super::Form;
use crate::client::{Answer, Fault};
use crate::event::Event;
use crate::sink::{Failure, Later};
use ::http::StatusCode;
use host_lines::line;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// Where events are put.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The index or data stream. Default: the one in the URL.
    pub index: Option<String>,
    /// Whether an event gets an `@timestamp`, which data streams want. Default: false, events go out
    /// as they are.
    #[serde(default)]
    pub timestamp: bool,
}

/// Elasticsearch takes no longer identities.
const LONGEST_ID: usize = 512;

pub(super) struct Elastic {
    options: Options,
}

impl Elastic {
    pub(super) fn new(options: Options) -> Self {
        Self { options }
    }
}

#[derive(Serialize)]
struct Action<'a> {
    create: Target<'a>,
}

#[derive(Serialize)]
struct Target<'a> {
    #[serde(rename = "_index", skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    errors: bool,
    items: Vec<BTreeMap<String, ItemSaid>>,
}

#[derive(Deserialize)]
struct ItemSaid {
    status: u16,
    error: Option<serde_json::Value>,
}

impl Form for Elastic {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn write(&self, events: &[Arc<Event>], body: &mut Vec<u8>) {
        for event in events {
            let id = id(event).filter(|id| id.len() <= LONGEST_ID);
            let action = Action { create: Target { index: self.options.index.as_deref(), id } };
            // Strings, into memory: it cannot fail.
            let _ = serde_json::to_writer(&mut *body, &action);
            body.push(b'\n');
            match self.options.timestamp {
                true => with_timestamp(event, body),
                false => line(event.json(), body),
            }
        }
    }

    fn judge(&self, answer: &Answer, events: usize) -> Result<(), Failure> {
        if !answer.status.is_success() {
            return Err(answer.failure());
        }
        let unreadable = |what: &dyn std::fmt::Display| {
            Failure::passing(format!("{} cannot be read: {what}", answer.describe()))
        };
        let body = answer.body.as_ref().map_err(|error| unreadable(error))?;
        let said: Said = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        if !said.errors {
            return Ok(());
        }
        if said.items.len() != events {
            let text = format!("it is about {} events of {events}", said.items.len());
            return Err(unreadable(&text));
        }
        said.failure(answer)
    }
}

impl Said {
    fn failure(self, answer: &Answer) -> Result<(), Failure> {
        let mut again: (Vec<usize>, Option<Later>) = (Vec::new(), None);
        let mut refused = Vec::new();
        for (index, item) in self.items.into_iter().enumerate() {
            let Some((_, ItemSaid { status, error })) = item.into_iter().next() else { continue };
            // 409: there is one with this identity.
            if matches!(status, 200..=299 | 409) {
                continue;
            }
            let why = error.map(|error| error.to_string()).unwrap_or_default();
            let reason = format!("status {status}: {why}");
            let fault = StatusCode::from_u16(status).map_or(Fault::Passing, Fault::of);
            if fault == Fault::Content {
                refused.push((index, reason));
                continue;
            }
            again.0.push(index);
            let mend = fault == Fault::Configuration;
            again.1.get_or_insert(Later { reason, wait: answer.wait, mend });
        }
        match again {
            (_, None) if refused.is_empty() => Ok(()),
            (indices, why) => {
                Err(Failure::Partly { later: why.map(|later| (indices, later)), refused })
            }
        }
    }
}

fn id(event: &Event) -> Option<String> {
    match (event.uid(), event.session()) {
        ("", _) => None,
        (uid, None) => Some(uid.to_owned()),
        (uid, Some(session)) => Some(format!("{session}.{uid}")),
    }
}

/// The event with its time as another first key.
fn with_timestamp(event: &Event, body: &mut Vec<u8>) {
    let time = event.time().and_then(|time| jiff::Timestamp::try_from(time).ok());
    let rest = event.json().trim_ascii_start().strip_prefix(b"{");
    let (Some(time), Some(rest)) = (time, rest) else { return line(event.json(), body) };
    let comma = if rest.trim_ascii_start().starts_with(b"}") { "" } else { "," };
    let _ = write!(body, "{{\"@timestamp\":\"{time:.3}\"{comma}");
    line(rest, body);
}
