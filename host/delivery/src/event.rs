//! An audit event on its way to the sinks.

use bytes::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// What is called when every sink has an event. If it is dropped instead the event has not arrived.
pub type Done = Box<dyn FnOnce() + Send>;

/// An event as it is given to [`Delivery::send`](crate::Delivery::send).
pub struct Item {
    /// The JSON object, as it goes out. While it is on its way it keeps alive the buffer that it is a
    /// slice of.
    pub json: Bytes,
    /// Its type: `user.login`.
    pub kind: Arc<str>,
    /// Its identity. An event without one is never taken for a duplicate.
    pub uid: String,
    /// When it happened.
    pub time: Option<SystemTime>,
    /// Of a session's recording: the session. The same event may come once as an event of the audit
    /// log and once as one of a recording; these are two.
    pub session: Option<Arc<str>>,
    /// Called once, on a thread of the runtime: it must not block.
    pub done: Done,
}

/// What identifies an event in a journal: the first half of a SHA-256 of session and uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; Key::BYTES]);

impl Key {
    pub(crate) const BYTES: usize = 16;

    pub(crate) fn of(session: Option<&str>, uid: &str) -> Self {
        let session = session.unwrap_or_default();
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        digest.update(&(session.len() as u64).to_le_bytes());
        digest.update(session.as_bytes());
        digest.update(uid.as_bytes());
        let mut key = [0; Self::BYTES];
        key.copy_from_slice(&digest.finish().as_ref()[..Self::BYTES]);
        Self(key)
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An event as a sink sees it.
pub struct Event {
    json: Bytes,
    kind: Arc<str>,
    uid: String,
    time: Option<SystemTime>,
    session: Option<Arc<str>>,
    key: Option<Key>,
    /// The sinks that do not have it yet.
    missing: AtomicUsize,
    done: Mutex<Option<Done>>,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut event = f.debug_struct("Event");
        event.field("kind", &self.kind).field("uid", &self.uid).finish_non_exhaustive()
    }
}

impl Event {
    /// What an event costs beside its texts, about.
    const OVERHEAD: usize = 256;

    /// An event that goes to so many sinks.
    pub(crate) fn new(item: Item, sinks: usize) -> Self {
        let key = (!item.uid.is_empty()).then(|| Key::of(item.session.as_deref(), &item.uid));
        Self {
            json: item.json,
            kind: item.kind,
            uid: item.uid,
            time: item.time,
            session: item.session,
            key,
            missing: AtomicUsize::new(sinks),
            done: Mutex::new(Some(item.done)),
        }
    }

    /// The JSON object.
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// Its type: `user.login`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its identity; empty if it has none.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// When it happened.
    pub fn time(&self) -> Option<SystemTime> {
        self.time
    }

    /// The session whose recording it is of.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    pub(crate) fn key(&self) -> Option<Key> {
        self.key
    }

    /// The memory that it takes.
    pub(crate) fn size(&self) -> usize {
        self.json.len() + self.kind.len() + self.uid.len() + Self::OVERHEAD
    }

    /// A sink has it. To be called once by each.
    pub(crate) fn arrived(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            let done = self.done.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(done) = done {
                done();
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An event of which nobody needs to hear.
    pub(crate) fn event(kind: &str, uid: &str, json: &str) -> Arc<Event> {
        Arc::new(Event::new(item(kind, uid, json), 1))
    }

    pub(crate) fn item(kind: &str, uid: &str, json: &str) -> Item {
        Item {
            json: Bytes::copy_from_slice(json.as_bytes()),
            kind: kind.into(),
            uid: uid.to_owned(),
            time: None,
            session: None,
            done: Box::new(|| {}),
        }
    }

    #[test]
    fn it_is_done_when_the_last_sink_has_it() {
        let done = Arc::new(AtomicUsize::new(0));
        let counted = done.clone();
        let mut item = item("user.login", "1", "{}");
        item.done = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let event = Event::new(item, 2);
        event.arrived();
        assert_eq!(done.load(Ordering::Relaxed), 0);
        event.arrived();
        assert_eq!(done.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_event_of_the_log_and_the_same_of_a_recording_are_two() {
        assert_ne!(Key::of(None, "1"), Key::of(Some("s"), "1"));
        assert_ne!(Key::of(Some("s1"), "1"), Key::of(Some("s"), "11"));
        assert_eq!(Key::of(Some("s"), "1"), Key::of(Some("s"), "1"));
        assert!(event("user.login", "", "{}").key().is_none());
    }
}
