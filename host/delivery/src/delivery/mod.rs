//! Events to several sinks at once, each at its own pace.

mod dead_letters;
mod gate;
mod journal;
mod lane;
mod memory;
mod window;

pub use dead_letters::NAME as DEAD_LETTERS;
pub use window::Window;

use crate::event::{Event, Item};
use crate::metrics::Metrics;
use crate::retry::Retry;
use crate::sink::Sink;
use dead_letters::DeadLetters;
use futures_util::future::join_all;
use gate::Gate;
use host_lines::LogLimit;
use journal::Journal;
use lane::Lane;
use memory::Memory;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use window::Room;

/// A sink, and how it is served.
pub struct Outlet {
    /// Its name in logs, metrics and the state folder: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The sink.
    pub sink: Box<dyn Sink>,
    /// How much may be on its way to it.
    pub window: Window,
    /// How it is tried again.
    pub retry: Retry,
    /// An event whose uid is among the last so many that were given to this sink is dropped. 0: none
    /// is; what a restart repeats is dropped all the same.
    pub dedupe: usize,
}

/// Why delivery cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No sink.
    #[error("there is no sink: give at least one")]
    NoSink,
    /// Two sinks with one name, which would share a journal.
    #[error("two sinks are called {0:?}: give each a `name` of its own")]
    SameName(String),
    /// A name that is no name of a folder.
    #[error(
        "{0:?} cannot be the name of a sink: take letters, digits, `-`, `_` and `.`, 64 at most"
    )]
    Name(String),
    /// The state folder.
    #[error("{} cannot be used: {error}", path.display())]
    State {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// How a sink is doing.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// The events on their way to it.
    pub waiting: usize,
    /// Since when it has been failing, and why, if it is.
    pub failing: Option<(SystemTime, String)>,
}

/// What has not been delivered in the end. It is not done: the source will bring it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The sinks to which events were still on their way, and how many.
    pub sinks: Vec<(String, usize)>,
}

impl Left {
    /// Whether everything has arrived.
    pub fn is_empty(&self) -> bool {
        self.sinks.is_empty()
    }
}

/// Takes events to every sink. Dropped, it leaves what is on its way as it is: not done.
pub struct Delivery {
    lanes: Vec<(Arc<Lane>, UnboundedSender<Arc<Event>>)>,
    tasks: Tasks,
    metrics: Metrics,
}

/// Ends with its owner.
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Delivery {
    /// Starts on the runtime that this is called on. In the folder `state` are the journals, in
    /// `sinks/NAME`, and the dead letters. Without one a restart repeats what was on its way, and the
    /// log gets the events that were refused.
    pub fn start(outlets: Vec<Outlet>, state: Option<&Path>) -> Result<Self, StartError> {
        check_names(&outlets)?;
        let metrics = Metrics::default();
        let dead_letters = Arc::new(DeadLetters::new(state));
        let most = outlets.iter().map(ahead).fold(0, usize::saturating_add);
        let mut lanes = Vec::with_capacity(outlets.len());
        let mut tasks = Tasks(Vec::with_capacity(outlets.len()));
        for Outlet { name, sink, window, retry, dedupe } in outlets {
            let (journal, known) = match state {
                None => (None, Vec::new()),
                Some(state) => {
                    let folder = state.join("sinks").join(&name);
                    let opened = Journal::open(&folder, most.max(dedupe));
                    let (journal, known) =
                        opened.map_err(|error| StartError::State { path: folder, error })?;
                    (Some(Mutex::new(journal)), known)
                }
            };
            let lane = Arc::new(Lane {
                sink,
                room: Room::new(window),
                gate: Gate::new(&name, retry),
                metrics: metrics.sink(&name),
                memory: Mutex::new(Memory::new(known, dedupe)),
                journal,
                dead_letters: dead_letters.clone(),
                log: LogLimit::default(),
                name,
            });
            let (sender, queue) = unbounded_channel();
            tasks.0.push(tokio::spawn(lane.clone().run(queue)));
            lanes.push((lane, sender));
        }
        Ok(Self { lanes, tasks, metrics })
    }

    /// Sends an event on its way. Waits while the window of a sink is full. If this future is dropped
    /// before its end some sinks may get the event, and it is never done.
    pub async fn send(&self, item: Item) {
        let event = Arc::new(Event::new(item, self.lanes.len()));
        for (lane, queue) in &self.lanes {
            lane.room.enter(event.size()).await;
            lane.metrics.waiting.inc();
            // A lane ends after its queue only.
            let _ = queue.send(event.clone());
        }
    }

    /// Waits until every sink has what was sent, for `timeout` at most, and says what is left.
    pub async fn finish(self, timeout: Duration) -> Left {
        let Self { lanes, mut tasks, .. } = self;
        let lanes: Vec<_> = lanes.into_iter().map(|(lane, _queue)| lane).collect();
        let all = join_all(tasks.0.iter_mut());
        let _ = tokio::time::timeout(timeout, all).await;
        tasks.0.retain(|task| !task.is_finished());
        tasks.0.iter().for_each(JoinHandle::abort);
        // From here on nothing is acknowledged any more.
        join_all(tasks.0.iter_mut()).await;
        for lane in &lanes {
            let journal = lane.journal.as_ref();
            let journal = journal.map(|it| it.lock().unwrap_or_else(PoisonError::into_inner));
            if let Some(Err(error)) = journal.map(|journal| journal.sync()) {
                tracing::warn!(sink = lane.name, "the journal of {}: {error}", lane.name);
            }
        }
        let left = lanes.iter().map(|lane| (lane.name.clone(), lane.room.taken()));
        Left { sinks: left.filter(|(_, waiting)| *waiting > 0).collect() }
    }

    /// The metrics of all sinks.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How each sink is doing.
    pub fn status(&self) -> Vec<Status> {
        let status = self.lanes.iter().map(|(lane, _)| Status {
            name: lane.name.clone(),
            waiting: lane.room.taken(),
            failing: lane.gate.failing(),
        });
        status.collect()
    }
}

/// How many events can have been sent after one that this sink still lacks: those in its window, and
/// those that have overtaken it. All sinks together can be so far apart, and so much has to be in a
/// journal.
fn ahead(outlet: &Outlet) -> usize {
    let (limits, window) = (outlet.sink.limits(), outlet.window.events);
    // A batch is of what waits in the window, however many events one may have.
    window.saturating_add(limits.connections.saturating_mul(limits.events.min(window)))
}

fn check_names(outlets: &[Outlet]) -> Result<(), StartError> {
    if outlets.is_empty() {
        return Err(StartError::NoSink);
    }
    let mut names = HashSet::new();
    for Outlet { name, .. } in outlets {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=64).contains(&name.len()) || name.starts_with('.') || !name.bytes().all(fits) {
            return Err(StartError::Name(name.clone()));
        }
        // Some file systems take capitals for small letters.
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(StartError::SameName(name.clone()));
        }
    }
    Ok(())
}
