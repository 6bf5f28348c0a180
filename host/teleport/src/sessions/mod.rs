//! Recordings of sessions: each is announced by a `session.upload`, and read event by event.
//!
//! | it is | what is done |
//! |---|---|
//! | announced | it is noted in the state before the cursor can pass the announcement |
//! | being read | beside others, on from the index that is done when the stream breaks |
//! | not there yet, or broken | asked for again every few minutes; given up after three times (not if all is to end with the last event), or two days |
//! | denied to us | asked for again every few minutes, until the role allows it |
//! | there, and the server is away | tried again soon, and then every few minutes; left to the next start if all is to end |
//!
//! However many are announced, only some wait to be read: then the audit log waits, too.

mod recording;

use crate::marks::{Marks, Room};
use crate::metrics::Metrics;
use crate::reader::Reader;
use crate::state::{Changes, Loaded, Missing, NEVER, is_name};
use jiff::Timestamp;
use recording::{Outcome, Task};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// As with the event handler: so many may wait for each that is read.
const BACKLOG: usize = 16;

/// How many recordings that were missing are asked for at a time.
const AGAIN_AT_ONCE: usize = 10;

/// How often a recording is asked for again before it is given up.
const TRIES: u32 = 3;

/// All that are not over.
#[derive(Debug)]
pub(crate) struct Sessions {
    sessions: Mutex<HashMap<Arc<str>, Session>>,
    backlog: Arc<Semaphore>,
    added: Notify,
    ended: Notify,
    room: Arc<Room>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Session {
    marks: Arc<Marks<i64>>,
    /// From where it is to be read on.
    index: i64,
    /// The index that the state has, or is to have.
    saved: i64,
    uploaded: Timestamp,
    phase: Phase,
    /// The state's folder has something else of it.
    changed: bool,
}

#[derive(Debug)]
enum Phase {
    /// It waits, with its place in the backlog; none if it comes from the state.
    Waiting(Option<OwnedSemaphorePermit>),
    Reading,
    /// It was not there, so many times.
    Missing {
        attempt: u32,
        reading: bool,
    },
    /// To its end. It is over when all its events are done.
    Read,
    GivenUp,
}

impl Sessions {
    pub(crate) fn restore(
        loaded: &Loaded,
        concurrency: usize,
        room: &Arc<Room>,
        metrics: &Metrics,
    ) -> Arc<Self> {
        let session = |index, uploaded, phase| {
            let marks = Marks::new(room.clone());
            Session { marks, index, saved: index, uploaded, phase, changed: false }
        };
        let waiting = loaded
            .sessions
            .iter()
            .map(|(id, index)| (id.clone(), session(*index, NEVER, Phase::Waiting(None))));
        // If a crash has left both files, it is missing.
        let missing = loaded.missing.iter().map(|(id, it)| {
            let phase = Phase::Missing { attempt: it.attempt, reading: false };
            (id.clone(), session(it.index, it.timestamp, phase))
        });
        let sessions: HashMap<_, _> = waiting.chain(missing).collect();
        let this = Self {
            sessions: Mutex::new(sessions),
            backlog: Arc::new(Semaphore::new(concurrency.saturating_mul(BACKLOG))),
            added: Notify::new(),
            ended: Notify::new(),
            room: room.clone(),
            metrics: metrics.clone(),
        };
        this.count(&this.sessions());
        Arc::new(this)
    }

    /// A recording was announced. Waits while too many wait to be read.
    pub(crate) async fn add(&self, id: &str, uploaded: Option<SystemTime>) {
        if !is_name(id) {
            tracing::error!("the recording of session {id:?} is left out: that is no session's id");
            return;
        }
        if self.sessions().contains_key(id) {
            return; // its announcement was read again after a crash
        }
        let place = self.backlog.clone().acquire_owned().await.ok();
        let uploaded = uploaded.and_then(|time| Timestamp::try_from(time).ok());
        let session = Session {
            marks: Marks::new(self.room.clone()),
            index: 0,
            saved: 0,
            uploaded: uploaded.unwrap_or(NEVER),
            phase: Phase::Waiting(place),
            changed: true,
        };
        let mut sessions = self.sessions();
        sessions.entry(id.into()).or_insert(session);
        self.count(&sessions);
        drop(sessions);
        self.added.notify_one();
    }

    /// Reads what is announced, for ever.
    pub(crate) async fn run(self: Arc<Self>, reader: Reader) {
        tokio::join!(self.read_announced(&reader), self.read_missing(&reader));
    }

    async fn read_announced(self: &Arc<Self>, reader: &Reader) {
        let slots = Arc::new(Semaphore::new(reader.config.concurrency));
        loop {
            let added = self.added.notified();
            loop {
                let slot = slots.clone().acquire_owned().await.ok();
                let Some(task) = self.next_waiting() else { break };
                self.start(reader, task, slot, &slots);
            }
            added.await;
        }
    }

    async fn read_missing(self: &Arc<Self>, reader: &Reader) {
        let slots = Arc::new(Semaphore::new(AGAIN_AT_ONCE));
        let (first, every) = reader.config.timing.missing;
        // Whoever ends with the last event may end before the first wait is over, at each start.
        if !reader.config.exit_on_last_event {
            sleep(jitter(first)).await;
        }
        loop {
            for task in self.all_missing() {
                let slot = slots.clone().acquire_owned().await.ok();
                self.start(reader, task, slot, &slots);
            }
            sleep(jitter(every)).await;
        }
    }

    fn start(
        self: &Arc<Self>,
        reader: &Reader,
        task: Task,
        slot: Option<OwnedSemaphorePermit>,
        slots: &Arc<Semaphore>,
    ) {
        let (this, of, slots) = (self.clone(), reader.clone(), slots.clone());
        reader.spawn(async move {
            let id = task.id.clone();
            let outcome = recording::read(&of, task, slot, slots).await;
            this.ended(&id, outcome, &of);
        });
    }

    /// Waits until nothing is read nor waits to be, except for what is missing.
    pub(crate) async fn idle(&self) {
        loop {
            let ended = self.ended.notified();
            let busy = |session: &Session| {
                matches!(
                    session.phase,
                    Phase::Waiting(_) | Phase::Reading | Phase::Missing { reading: true, .. }
                )
            };
            if !self.sessions().values().any(busy) {
                return;
            }
            ended.await;
        }
    }

    fn next_waiting(&self) -> Option<Task> {
        let mut sessions = self.sessions();
        let mut all = sessions.iter_mut();
        let (id, session) = all.find(|(_, it)| matches!(it.phase, Phase::Waiting(_)))?;
        let Phase::Waiting(place) = std::mem::replace(&mut session.phase, Phase::Reading) else {
            return None;
        };
        Some(Task { id: id.clone(), index: session.index, marks: session.marks.clone(), place })
    }

    fn all_missing(&self) -> Vec<Task> {
        let mut sessions = self.sessions();
        let tasks = sessions.iter_mut().filter_map(|(id, session)| {
            let Phase::Missing { reading, .. } = &mut session.phase else { return None };
            if std::mem::replace(reading, true) {
                return None;
            }
            let (id, marks) = (id.clone(), session.marks.clone());
            Some(Task { id, index: session.index, marks, place: None })
        });
        tasks.collect()
    }

    fn ended(&self, id: &Arc<str>, outcome: Outcome, reader: &Reader) {
        let lost = reader.config.timing.recording_lost;
        let mut sessions = self.sessions();
        let Some(session) = sessions.get_mut(id) else { return };
        let attempt = match session.phase {
            Phase::Missing { attempt, .. } => attempt,
            _ => 0,
        };
        session.index = outcome.index;
        session.changed = true;
        let age = Timestamp::now().as_second() - session.uploaded.as_second();
        let old = session.uploaded != NEVER && u64::try_from(age).unwrap_or(0) > lost.as_secs();
        session.phase = match outcome.failure {
            None => {
                session.marks.end();
                Phase::Read
            }
            // It is not the recording's fault: we are not let in, or the server is away.
            Some(failure) if !failure.is_of_the_thing() => {
                if let Some(unlogged) = reader.log.allow() {
                    tracing::warn!(
                        unlogged,
                        "the recording of session {id} is left for later: {failure}"
                    );
                }
                Phase::Missing { attempt, reading: false }
            }
            Some(failure) if attempt >= TRIES || old => {
                self.metrics.lost_recordings.inc();
                tracing::error!("the recording of session {id} is given up: {failure}");
                Phase::GivenUp
            }
            Some(failure) => {
                tracing::warn!("the recording of session {id} is asked for again: {failure}");
                // Runs that end by themselves may follow each other in no time: then its age decides.
                let counts = !reader.config.exit_on_last_event || session.uploaded == NEVER;
                Phase::Missing { attempt: attempt + u32::from(counts), reading: false }
            }
        };
        self.count(&sessions);
        drop(sessions);
        self.ended.notify_waiters();
    }

    /// What is to be saved since the last call.
    pub(crate) fn changes(&self, changes: &mut Changes) {
        let mut sessions = self.sessions();
        sessions.retain(|id, session| {
            let moved = session.marks.moved();
            let low = moved.as_ref().and_then(|low| low.position);
            let is_over = match session.phase {
                Phase::GivenUp => true,
                Phase::Read => moved.as_ref().is_some_and(|low| low.complete),
                _ => false,
            };
            if is_over {
                changes.session_gone(id);
                return false;
            }
            if std::mem::take(&mut session.changed) || low.is_some() {
                // What is out and not done is read again after a crash.
                let index = low.unwrap_or(session.saved);
                session.saved = index;
                match session.phase {
                    Phase::Missing { attempt, .. } => {
                        let timestamp = session.uploaded;
                        changes.missing(id, &Missing { index, attempt, timestamp });
                    }
                    _ => changes.session(id, index),
                }
            }
            true
        });
    }

    fn count(&self, sessions: &HashMap<Arc<str>, Session>) {
        let missing = |it: &&Session| matches!(it.phase, Phase::Missing { .. });
        let waiting = |it: &&Session| matches!(it.phase, Phase::Waiting(_) | Phase::Reading);
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.missing.set(number(sessions.values().filter(missing).count()));
        self.metrics.recordings.set(number(sessions.values().filter(waiting).count()));
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Arc<str>, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A seventh more or less, as with the event handler.
fn jitter(time: Duration) -> Duration {
    time.mul_f64(1.0 + (fastrand::f64() - 0.5) * 2.0 / 7.0)
}
