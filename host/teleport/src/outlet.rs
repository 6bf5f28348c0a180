//! The one way out for events, from wherever they were read.

use crate::event::{Event, Kinds};
use crate::marks::{Done, Marks, Room};
use crate::metrics::Metrics;
use crate::sessions::Sessions;
use bytes::Bytes;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::mpsc;

/// One audit event as it was read.
#[derive(Debug)]
pub struct Read {
    /// Its JSON, exactly what fluentd gets: one object, its keys sorted, no line break.
    pub json: Bytes,
    /// Its type, such as `user.login`.
    pub kind: Arc<str>,
    /// Its id, as Teleport gave it.
    pub uid: String,
    /// When it happened.
    pub time: Option<SystemTime>,
    /// Of an event from a recording: the id of its session. It goes to the session's URL.
    pub session: Option<Arc<str>>,
    /// To be told when the event has been brought everywhere, or is to go nowhere.
    pub done: Done,
}

/// Nobody takes events any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed;

#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    out: mpsc::Sender<Read>,
    room: Arc<Room>,
    kinds: Arc<Kinds>,
    sessions: Arc<Sessions>,
    metrics: Metrics,
}

impl Outlet {
    pub(crate) fn new(
        out: mpsc::Sender<Read>,
        room: Arc<Room>,
        kinds: Arc<Kinds>,
        sessions: Arc<Sessions>,
        metrics: Metrics,
    ) -> Self {
        Self { out, room, kinds, sessions, metrics }
    }

    /// An event of the audit log. It waits while too many events, or recordings, are under way.
    pub(crate) async fn bring<P: Clone + Send + 'static>(
        &self,
        event: &Event,
        position: P,
        marks: &Arc<Marks<P>>,
    ) -> Result<(), Closed> {
        let kind = self.kinds.kind(&event.kind());
        if !kind.wanted {
            self.metrics.skipped.inc();
            marks.skip(position);
            return Ok(());
        }
        if kind.upload {
            // Before the cursor can pass the event: the recording is not forgotten.
            match event.session() {
                Some(session) => self.sessions.add(session, event.time()).await,
                None => tracing::warn!("the {} {} names no session", kind.name, event.id()),
            }
        }
        self.send(event, &kind, position, marks, None).await
    }

    /// An event of a recording.
    pub(crate) async fn bring_of_session(
        &self,
        event: &Event,
        position: i64,
        marks: &Arc<Marks<i64>>,
        session: &Arc<str>,
    ) -> Result<(), Closed> {
        let kind = self.kinds.kind(&event.kind());
        if !kind.wanted_of_sessions {
            self.metrics.skipped.inc();
            marks.skip(position);
            return Ok(());
        }
        self.send(event, &kind, position, marks, Some(session.clone())).await
    }

    async fn send<P: Clone + Send + 'static>(
        &self,
        event: &Event,
        kind: &crate::event::Kind,
        position: P,
        marks: &Arc<Marks<P>>,
        session: Option<Arc<str>>,
    ) -> Result<(), Closed> {
        let uid = event.id().into_owned();
        let json = event.json().unwrap_or_else(|(why, json)| {
            self.metrics.malformed.inc();
            tracing::error!("the {} {uid:?} goes on as it came, since {why}", kind.name);
            json
        });
        let time = event.time();
        if session.is_none()
            && let Some(time) = time
        {
            self.metrics.event_of(time);
        }
        kind.read.inc();
        self.metrics.read.inc();
        // Once it has its place in the room nothing is waited for any more: whoever is stopped here, since
        // windows take over, would drop the event, and its place would be lost.
        let place = self.out.reserve().await.map_err(|_| Closed)?;
        self.room.take().await;
        let done = marks.push(position);
        place.send(Read { json, kind: kind.name.clone(), uid, time, session, done });
        Ok(())
    }

    /// Whether nobody takes events any more.
    pub(crate) async fn closed(&self) {
        self.out.closed().await;
    }
}
