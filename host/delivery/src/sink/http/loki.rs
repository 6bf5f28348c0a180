//! Grafana Loki's push API: streams of lines with labels, as JSON.
//!
//! The URL ends in `/loki/api/v1/push`; with several tenants the header `X-Scope-OrgID` names one. Loki
//! takes the good lines of a request and refuses it for the bad ones; sent again, the good ones are
//! known to it by time and text, and are not kept twice.

use super::Form;
use crate::event::Event;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

/// The labels of events. Few values each: every combination is a stream of its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Options {
    /// The same for all. Default: `{ job = "teleport" }`.
    #[serde(default = "labels")]
    pub labels: BTreeMap<String, String>,
    /// The label with an event's type. Default: `event_type`; empty: none.
    #[serde(default = "type_label")]
    pub type_label: String,
}

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([("job".to_owned(), "teleport".to_owned())])
}

fn type_label() -> String {
    "event_type".to_owned()
}

impl Default for Options {
    fn default() -> Self {
        Self { labels: labels(), type_label: type_label() }
    }
}

pub(super) struct Loki {
    options: Options,
}

impl Loki {
    pub(super) fn new(options: Options) -> Self {
        Self { options }
    }

    fn labels(&self, kind: &str) -> BTreeMap<&str, String> {
        let labels = self.options.labels.iter();
        let mut labels: BTreeMap<_, _> =
            labels.map(|(name, value)| (name.as_str(), value.clone())).collect();
        if !self.options.type_label.is_empty() {
            labels.insert(&self.options.type_label, kind.to_owned());
        }
        labels
    }
}

impl Form for Loki {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn write(&self, events: &[Arc<Event>], body: &mut Vec<u8>) {
        let mut streams: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        for event in events {
            let stream = if self.options.type_label.is_empty() { "" } else { event.kind() };
            streams.entry(stream).or_default().push(event);
        }
        body.extend_from_slice(b"{\"streams\":[");
        for (number, (kind, events)) in streams.into_iter().enumerate() {
            body.extend_from_slice(if number == 0 { b"" } else { b"," });
            body.extend_from_slice(b"{\"stream\":");
            // Strings, into memory: it cannot fail. Nor can what follows.
            let _ = serde_json::to_writer(&mut *body, &self.labels(kind));
            body.extend_from_slice(b",\"values\":[");
            for (number, event) in events.into_iter().enumerate() {
                body.extend_from_slice(if number == 0 { b"" } else { b"," });
                let time = event.time().unwrap_or_else(SystemTime::now);
                let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let _ = write!(body, "[\"{}\",", since.as_nanos());
                let _ = serde_json::to_writer(&mut *body, &String::from_utf8_lossy(event.json()));
                body.push(b']');
            }
            body.extend_from_slice(b"]}");
        }
        body.extend_from_slice(b"]}");
    }
}
