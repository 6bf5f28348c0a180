//! Audit events on their way from requests to the task that handles them.

use super::{AuditEvent, AuditLog, PluginEvent};
use crate::metrics::Metrics;
use crate::native::EventSink;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};

/// How often the log says that events were dropped, at the most.
const LOG_INTERVAL: Duration = Duration::from_secs(1);
/// The longest event that a plugin can emit, in bytes.
const PLUGIN_EVENT: usize = 64 << 10;

/// A bounded queue of audit events. Recording one never waits: what has no room is dropped,
/// counted, and said in the log.
///
/// A quarter of the room is for logins alone: whoever floods the proxy with requests would
/// otherwise choose which failed logins nobody hears of.
pub struct AuditQueue {
    events: mpsc::Sender<AuditEvent>,
    for_logins: usize,
    counts: Counts,
    unlogged: Unlogged,
}

/// One counter of each for each kind of event.
struct Counts {
    queued: [Counter; 3],
    dropped: [Counter; 3],
}

/// The dropped events that the log has not been told of.
#[derive(Default)]
struct Unlogged {
    events: AtomicU64,
    logged: Mutex<Option<Instant>>,
}

impl AuditQueue {
    /// A queue for `capacity` events, at least one, and the end that they come out of.
    /// [`mpsc::Receiver::recv_many`] takes all that wait at once. The proxy and plugins hold on to
    /// the queue: to end, close the receiver and take what is left.
    ///
    /// What is in it is at most some 8 KiB for each event that the proxy makes, and 64 KiB for each
    /// that a plugin emits.
    pub fn new(capacity: usize, metrics: &Metrics) -> (Arc<Self>, mpsc::Receiver<AuditEvent>) {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        let (events, receiver) = mpsc::channel(capacity);
        let (counts, unlogged) = (Counts::new(metrics), Unlogged::default());
        let queue = Self { events, for_logins: capacity / 4, counts, unlogged };
        (Arc::new(queue), receiver)
    }

    /// How many events wait, and how many there is room for.
    pub fn waiting(&self) -> (usize, usize) {
        let room = self.events.max_capacity();
        (room - self.events.capacity(), room)
    }

    /// Says whether there was room.
    fn offer(&self, event: AuditEvent) -> bool {
        let kind = Kind::of(&event);
        let room = kind == Kind::Login || self.events.capacity() > self.for_logins;
        let queued = room && self.events.try_send(event).is_ok();
        let counters = if queued { &self.counts.queued } else { &self.counts.dropped };
        counters[kind as usize].inc();
        if !queued {
            self.unlogged.events.fetch_add(1, Ordering::Relaxed);
        }
        // Also after one that had room: the last that were dropped are to be logged as well.
        if let Some(dropped) = self.unlogged.due(Instant::now) {
            tracing::error!(
                dropped,
                "audit events were dropped: what handles them does not keep up"
            );
        }
        queued
    }
}

impl AuditLog for AuditQueue {
    fn record(&self, event: AuditEvent) {
        self.offer(event);
    }
}

impl EventSink for AuditQueue {
    fn emit(&self, plugin: &str, event: &str) -> Result<(), String> {
        if event.len() > PLUGIN_EVENT {
            let length = event.len();
            return Err(format!("an event of {length} bytes is too long; {PLUGIN_EVENT} is most"));
        }
        let event = PluginEvent { plugin: plugin.to_owned(), json: event.to_owned() };
        if self.offer(AuditEvent::Plugin(event)) {
            return Ok(());
        }
        Err("the event was dropped: too many wait to be handled".to_owned())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Login,
    Request,
    Plugin,
}

impl Kind {
    /// In order, as metrics have them.
    const NAMES: [&str; 3] = ["login", "request", "plugin"];

    fn of(event: &AuditEvent) -> Self {
        match event {
            AuditEvent::Login(_) => Self::Login,
            AuditEvent::Request(_) => Self::Request,
            AuditEvent::Plugin(_) => Self::Plugin,
        }
    }
}

impl Counts {
    fn new(metrics: &Metrics) -> Self {
        let [queued, dropped] = [
            ("tenon_audit_events", "Audit events that were queued to be handled"),
            ("tenon_audit_events_dropped", "Audit events that found no room in the queue"),
        ]
        .map(|(name, help)| {
            let family = Family::<[(&str, &str); 1], Counter>::default();
            metrics.register(|registry| registry.register(name, help, family.clone()));
            Kind::NAMES.map(|kind| family.get_or_create(&[("kind", kind)]).clone())
        });
        Self { queued, dropped }
    }
}

impl Unlogged {
    /// So many are to be logged now.
    fn due(&self, now: impl FnOnce() -> Instant) -> Option<u64> {
        if self.events.load(Ordering::Relaxed) == 0 {
            return None;
        }
        // Whoever has the lock is at it.
        let mut logged = self.logged.try_lock().ok()?;
        let now = now();
        if logged.is_some_and(|last| now < last + LOG_INTERVAL) {
            return None;
        }
        *logged = Some(now);
        Some(self.events.swap(0, Ordering::Relaxed)).filter(|events| *events > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{LoginEvent, LoginOutcome};
    use std::time::SystemTime;

    fn emit(queue: &AuditQueue) -> Result<(), String> {
        queue.emit("p", "{}")
    }

    fn login() -> AuditEvent {
        AuditEvent::Login(LoginEvent {
            time: SystemTime::now(),
            user: "u".to_owned(),
            method: "basic".to_owned(),
            client: "127.0.0.1:1".parse().unwrap(),
            user_agent: String::new(),
            outcome: LoginOutcome::Success,
        })
    }

    #[test]
    fn a_full_queue_drops_counts_and_keeps_room_for_logins() {
        let metrics = Metrics::new();
        let (queue, mut events) = AuditQueue::new(8, &metrics);
        for _ in 0..6 {
            emit(&queue).unwrap();
        }
        assert!(emit(&queue).unwrap_err().starts_with("the event was dropped"));
        for _ in 0..3 {
            queue.record(login());
        }
        let text = metrics.encode();
        for line in [
            "tenon_audit_events_total{kind=\"plugin\"} 6",
            "tenon_audit_events_total{kind=\"login\"} 2",
            "tenon_audit_events_total{kind=\"request\"} 0",
            "tenon_audit_events_dropped_total{kind=\"plugin\"} 1",
            "tenon_audit_events_dropped_total{kind=\"login\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        assert_eq!(queue.waiting(), (8, 8));
        let event = events.try_recv().unwrap();
        assert_eq!(queue.waiting(), (7, 8));
        assert_eq!(
            event,
            AuditEvent::Plugin(PluginEvent { plugin: "p".into(), json: "{}".into() })
        );
        let mut rest = Vec::new();
        while let Ok(event) = events.try_recv() {
            rest.push(Kind::of(&event) as usize);
        }
        assert_eq!(rest, [2, 2, 2, 2, 2, 0, 0], "in the order in which they were recorded");
        emit(&queue).unwrap();
    }

    #[test]
    fn no_capacity_and_no_receiver_is_a_panic() {
        for capacity in [0, 1, usize::MAX] {
            let (queue, events) = AuditQueue::new(capacity, &Metrics::new());
            emit(&queue).unwrap();
            drop(events);
            assert!(emit(&queue).is_err());
        }
    }

    #[test]
    fn what_plugins_emit_is_bounded() {
        let (queue, _events) = AuditQueue::new(8, &Metrics::new());
        queue.emit("p", &" ".repeat(65536)).unwrap();
        let error = queue.emit("p", &" ".repeat(65537)).unwrap_err();
        assert_eq!(error, "an event of 65537 bytes is too long; 65536 is most");
    }

    #[test]
    fn the_log_hears_of_dropped_events_once_a_second() {
        let (unlogged, start) = (Unlogged::default(), Instant::now());
        let drop = |events| unlogged.events.fetch_add(events, Ordering::Relaxed);
        let due = |milliseconds| unlogged.due(|| start + Duration::from_millis(milliseconds));
        assert_eq!(due(0), None);
        drop(1);
        assert_eq!(due(0), Some(1));
        drop(5);
        drop(6);
        assert_eq!((due(0), due(999)), (None, None));
        assert_eq!((due(1000), due(5000)), (Some(11), None));
    }
}
