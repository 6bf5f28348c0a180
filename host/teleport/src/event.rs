//! An event as the server sends it, and as it goes on.

use crate::hex::hex;
use crate::json;
use crate::metrics::Metrics;
use crate::time::Stamp;
use crate::wire::Malformed;
use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use prost::Message;
use serde_json::json;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// The event that says where a session's recording is.
pub(crate) const UPLOAD: &str = "session.upload";

/// `teleport.auditlog.v1.EventUnstructured`. Texts and the Struct stay bytes: nothing is copied, and
/// what is wrong within one of them is the fault of one event, not of the whole stream.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Unstructured {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) kind: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) id: Bytes,
    #[prost(message, optional, tag = "3")]
    pub(crate) time: Option<Stamp>,
    #[prost(int64, tag = "4")]
    pub(crate) index: i64,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) body: Bytes,
}

/// An event that has come.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    envelope: Unstructured,
    /// The envelope could not be read, and the body is all of the event's bytes.
    broken: bool,
}

impl From<Unstructured> for Event {
    fn from(envelope: Unstructured) -> Self {
        Self { envelope, broken: false }
    }
}

impl From<Bytes> for Event {
    fn from(bytes: Bytes) -> Self {
        match Unstructured::decode(bytes.clone()) {
            Ok(envelope) => envelope.into(),
            Err(_) => {
                let envelope = Unstructured { body: bytes, ..Unstructured::default() };
                Self { envelope, broken: true }
            }
        }
    }
}

impl Event {
    pub(crate) fn kind(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.envelope.kind)
    }

    pub(crate) fn id(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.envelope.id)
    }

    pub(crate) fn index(&self) -> i64 {
        self.envelope.index
    }

    pub(crate) fn time(&self) -> Option<SystemTime> {
        self.envelope.time.as_ref().and_then(Stamp::time)
    }

    /// The id of the session whose recording is now there.
    pub(crate) fn session(&self) -> Option<&str> {
        json::text(&self.envelope.body, "sid")
    }

    /// What fluentd gets. `Err` has what it gets in place of an event that cannot be read: the
    /// envelope, and the bytes of the rest. It is an audit log: nothing is left out.
    pub(crate) fn json(&self) -> Result<Bytes, (Malformed, Bytes)> {
        let body = &self.envelope.body;
        let mut out = Vec::with_capacity(body.len() + body.len() / 4);
        let written = match body.is_empty() {
            _ if self.broken => Err(Malformed("its envelope cannot be read")),
            true => Err(Malformed("it has nothing but its envelope")),
            false => json::write(body, &mut out),
        };
        match written {
            Ok(()) => Ok(out.into()),
            Err(why) => Err((why, self.in_place(why))),
        }
    }

    fn in_place(&self, why: Malformed) -> Bytes {
        let time = self.time().and_then(|time| jiff::Timestamp::try_from(time).ok());
        let event = json!({
            "ei": self.index(),
            "event": self.kind(),
            "malformed": {"hex": hex(&self.envelope.body), "reason": why.to_string()},
            "time": time.map(|time| time.to_string()),
            "uid": self.id(),
        });
        event.to_string().into()
    }
}

/// A type of events, looked up once for each event.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: Arc<str>,
    pub(crate) read: Counter,
    /// Whether the configuration asks for its events, from the audit log or from recordings.
    pub(crate) wanted: bool,
    pub(crate) wanted_of_sessions: bool,
    /// Whether its events say that a recording is there.
    pub(crate) upload: bool,
}

/// All types that were seen.
#[derive(Debug)]
pub(crate) struct Kinds {
    types: HashSet<String>,
    skip: HashSet<String>,
    skip_of_sessions: HashSet<String>,
    known: RwLock<HashMap<Arc<str>, Arc<Kind>>>,
    metrics: Metrics,
}

impl Kinds {
    /// Teleport has about 400. What a broken server invents beyond this has no entry.
    const MOST: usize = 2000;

    pub(crate) fn new(
        [types, skip, skip_of_sessions]: [&HashSet<String>; 3],
        metrics: Metrics,
    ) -> Self {
        let known = RwLock::default();
        let (types, skip) = (types.clone(), skip.clone());
        Self { types, skip, skip_of_sessions: skip_of_sessions.clone(), known, metrics }
    }

    pub(crate) fn kind(&self, name: &str) -> Arc<Kind> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        known.unwrap_or_else(|| self.add(name))
    }

    fn add(&self, name: &str) -> Arc<Kind> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let counted = if known.len() < Self::MOST { name } else { "other" };
        let kind = Arc::new(Kind {
            name: name.into(),
            read: self.metrics.events(counted),
            wanted: (self.types.is_empty() || self.types.contains(name))
                && !self.skip.contains(name),
            wanted_of_sessions: !self.skip_of_sessions.contains(name),
            upload: name == UPLOAD && !self.skip_of_sessions.contains(UPLOAD),
        });
        if known.len() < Self::MOST {
            known.insert(kind.name.clone(), kind.clone());
        }
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(types: &[&str], skip: &[&str], of_sessions: &[&str]) -> Kinds {
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect::<HashSet<_>>();
        Kinds::new([&set(types), &set(skip), &set(of_sessions)], Metrics::default())
    }

    #[test]
    fn types_are_chosen_by_both_lists() {
        let all = kinds(&[], &["session.data"], &["print"]);
        assert!(all.kind("user.login").wanted && !all.kind("session.data").wanted);
        assert!(all.kind("print").wanted && !all.kind("print").wanted_of_sessions);
        let some = kinds(&["user.login", "session.upload"], &["session.upload"], &[]);
        assert!(some.kind("user.login").wanted && !some.kind("user.create").wanted);
        assert!(!some.kind("session.upload").wanted);
        assert!(!kinds(&[], &[], &["session.upload"]).kind("session.upload").upload);
    }

    #[test]
    fn a_server_that_invents_types_does_not_fill_the_memory() {
        let kinds = kinds(&[], &[], &[]);
        for number in 0..3 * Kinds::MOST {
            let name = format!("type.{number}");
            assert_eq!(&*kinds.kind(&name).name, name);
        }
        assert_eq!(kinds.known.read().unwrap().len(), Kinds::MOST);
    }

    #[test]
    fn what_cannot_be_read_goes_on_as_it_came() {
        let event = Unstructured {
            kind: "user.login".into(),
            id: "6bf5".into(),
            time: Some(Stamp { seconds: 1_708_714_822, nanos: 473_000_000 }),
            index: 7,
            body: Bytes::from_static(b"\x0a\x05\xff"),
        };
        let (why, json) = Event::from(event).json().unwrap_err();
        assert_eq!(why.to_string(), "a message ends within a field");
        let expected = r#"{"ei":7,"event":"user.login","malformed":{"hex":"0a05ff","reason":"a message ends within a field"},"time":"2024-02-23T19:00:22.473Z","uid":"6bf5"}"#;
        assert_eq!(json, expected);
        let (why, json) = Event::from(Bytes::from_static(b"\x0a\xff")).json().unwrap_err();
        assert_eq!(why.to_string(), "its envelope cannot be read");
        assert!(String::from_utf8_lossy(&json).contains(r#""hex":"0aff""#), "{json:?}");
    }
}
