//! The days of the bulk export, and how far each of their chunks is.

use super::chunk::Task;
use crate::error::Failure;
use crate::marks::{Marks, Room};
use crate::metrics::Metrics;
use crate::state::{Changes, Loaded, is_name};
use crate::time::date_of;
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

pub(crate) type ChunkMarks = Arc<Marks<Arc<str>>>;

/// Those that are not over.
#[derive(Debug)]
pub(crate) struct Days {
    start: Timestamp,
    days: Mutex<BTreeMap<Date, Day>>,
    /// Changes when a chunk was read, or is stuck.
    changed: watch::Sender<()>,
    ever_listed: AtomicBool,
    chunks_seen: AtomicU64,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Day {
    /// Its folder is there.
    saved: bool,
    /// No chunks are awaited any more; it is to be forgotten when those that it has are complete.
    over: bool,
    completed: HashSet<Arc<str>>,
    open: HashMap<Arc<str>, Open>,
}

#[derive(Debug)]
struct Open {
    marks: ChunkMarks,
    cursor: Arc<str>,
    reading: Reading,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reading {
    /// Or waiting to be.
    Now,
    /// It has failed again and again, and is tried on its own.
    Stuck(Failure),
    /// It has failed so often that whoever wants an end does not wait for it.
    Hopeless(Failure),
    /// To its end.
    Over,
    /// By nobody any more: windows take its place.
    Left,
}

impl Days {
    pub(crate) fn restore(loaded: &Loaded, room: &Arc<Room>, metrics: &Metrics) -> Self {
        let mut days = BTreeMap::new();
        let mut seen = 0;
        for (date, day) in &loaded.days {
            let open = day.cursors.iter().map(|(chunk, cursor)| {
                let cursor = Arc::from(cursor.as_str());
                (
                    chunk.clone(),
                    Open { marks: Marks::new(room.clone()), cursor, reading: Reading::Now },
                )
            });
            let open: HashMap<_, _> = open.collect();
            seen += open.len() + day.completed.len();
            metrics.chunks_open.inc_by(i64::try_from(open.len()).unwrap_or(i64::MAX));
            let completed = day.completed.clone();
            days.insert(*date, Day { saved: true, over: false, completed, open });
        }
        Self {
            start: loaded.start,
            days: Mutex::new(days),
            changed: watch::Sender::default(),
            ever_listed: AtomicBool::new(!loaded.days.is_empty()),
            chunks_seen: AtomicU64::new(seen as u64),
            metrics: metrics.clone(),
        }
    }

    /// Where to begin if there is no day yet; or where the windows were, if they were further.
    pub(crate) fn begin(&self, reached: Option<Timestamp>) {
        let mut days = self.days();
        let reached = date_of(reached.unwrap_or(self.start));
        match days.keys().next_back() {
            Some(newest) if *newest >= reached => {}
            _ => {
                // The windows began at the oldest day that was not over, and read what came after it.
                days.values_mut().for_each(|day| day.over = true);
                days.entry(reached).or_default();
            }
        }
    }

    /// Where windows have to begin that take the place of the export.
    pub(crate) fn unfinished(&self) -> Option<Date> {
        let days = self.days();
        if self.chunks_seen() == 0 {
            return days.keys().next().copied();
        }
        let open = days.iter().find(|(_, day)| !day.open.is_empty()).map(|(date, _)| *date);
        open.or_else(|| days.keys().next_back().copied())
    }

    pub(crate) fn start(&self) -> Timestamp {
        self.start
    }

    pub(crate) fn oldest(&self) -> Option<Date> {
        self.days().iter().find(|(_, day)| !day.over).map(|(date, _)| *date)
    }

    pub(crate) fn add(&self, date: Date) {
        self.days().entry(date).or_default();
    }

    pub(crate) fn listed(&self) {
        self.ever_listed.store(true, Ordering::Relaxed);
    }

    /// Whether the server has ever listed chunks, if only none.
    pub(crate) fn ever_listed(&self) -> bool {
        self.ever_listed.load(Ordering::Relaxed)
    }

    pub(crate) fn chunks_seen(&self) -> u64 {
        self.chunks_seen.load(Ordering::Relaxed)
    }

    /// The chunks that are to be read on.
    pub(super) fn resumed(&self) -> Vec<Task> {
        let days = self.days();
        let tasks = days.iter().flat_map(|(date, day)| {
            day.open.iter().map(|(chunk, open)| Task {
                date: *date,
                chunk: chunk.clone(),
                cursor: open.cursor.clone(),
                marks: open.marks.clone(),
            })
        });
        tasks.collect()
    }

    /// A chunk that the server has listed; none if it is known.
    pub(super) fn open(&self, date: Date, chunk: &str, room: &Arc<Room>) -> Option<Task> {
        let mut days = self.days();
        let day = days.entry(date).or_default();
        if day.completed.contains(chunk) || day.open.contains_key(chunk) {
            return None;
        }
        if !is_name(chunk) {
            tracing::warn!("{chunk:?} of {date} cannot be a file's name: a restart reads it again");
        }
        let (chunk, cursor): (Arc<str>, Arc<str>) = (chunk.into(), "".into());
        let marks = Marks::new(room.clone());
        let open = Open { marks: marks.clone(), cursor: cursor.clone(), reading: Reading::Now };
        day.open.insert(chunk.clone(), open);
        self.metrics.chunks_open.inc();
        self.chunks_seen.fetch_add(1, Ordering::Relaxed);
        Some(Task { date, chunk, cursor, marks })
    }

    pub(super) fn over(&self, task: &Task) {
        self.metrics.chunks_done.inc();
        task.marks.end();
        self.set(task, Reading::Over);
    }

    pub(super) fn is_stuck(&self, task: &Task, failure: Failure) {
        self.set(task, Reading::Stuck(failure));
    }

    pub(super) fn is_hopeless(&self, task: &Task, failure: Failure) {
        self.set(task, Reading::Hopeless(failure));
    }

    pub(super) fn goes_on(&self, task: &Task) {
        self.set(task, Reading::Now);
    }

    fn set(&self, task: &Task, reading: Reading) {
        if let Some(day) = self.days().get_mut(&task.date)
            && let Some(open) = day.open.get_mut(&task.chunk)
        {
            match (&open.reading, &reading) {
                // The last words of a task that is being stopped.
                (Reading::Left, _) => return,
                (_, Reading::Over) => {
                    self.metrics.chunks_open.dec();
                }
                _ => {}
            }
            open.reading = reading;
        }
        self.changed.send_replace(());
    }

    /// Waits until each chunk of a day was read, or is stuck.
    pub(super) async fn settled(&self, date: Date) {
        self.none(|of, reading| *of == date && *reading == Reading::Now).await;
    }

    /// Waits until each chunk was read, or is hopeless; says how many are, and why one of them is.
    pub(super) async fn hopeless(&self) -> Option<(usize, Failure)> {
        self.none(|_, reading| matches!(reading, Reading::Now | Reading::Stuck(_))).await;
        let days = self.days();
        let open = days.values().flat_map(|day| day.open.values());
        let mut hopeless = open.filter_map(|open| match &open.reading {
            Reading::Hopeless(failure) => Some(failure),
            _ => None,
        });
        let last = hopeless.next()?.clone();
        Some((hopeless.count() + 1, last))
    }

    /// Waits until there is no such chunk.
    async fn none(&self, is_such: impl Fn(&Date, &Reading) -> bool) {
        let mut changed = self.changed.subscribe();
        let none = |(): &()| {
            let days = self.days();
            let mut days = days.iter();
            !days.any(|(date, day)| day.open.values().any(|it| is_such(date, &it.reading)))
        };
        // The sender is ours.
        let _ = changed.wait_for(none).await;
    }

    /// The server lists chunks, and says that it cannot export them.
    pub(super) fn cannot_export(&self) -> Option<String> {
        let days = self.days();
        days.values().flat_map(|day| day.open.values()).find_map(|open| match &open.reading {
            Reading::Stuck(Failure::Unimplemented { message, .. })
            | Reading::Hopeless(Failure::Unimplemented { message, .. }) => Some(message.clone()),
            _ => None,
        })
    }

    /// Windows take over: no chunk is read on.
    pub(crate) fn leave(&self) {
        let mut days = self.days();
        for open in days.values_mut().flat_map(|day| day.open.values_mut()) {
            open.reading = Reading::Left;
        }
        self.metrics.chunks_open.set(0);
    }

    /// No chunks are awaited of the days before one.
    pub(super) fn forget(&self, before: Date) {
        self.days().range_mut(..before).for_each(|(_, day)| day.over = true);
    }

    /// What is to be saved since the last call.
    pub(crate) fn changes(&self, changes: &mut Changes) {
        let mut days = self.days();
        for (date, day) in days.iter_mut() {
            if !std::mem::replace(&mut day.saved, true) {
                changes.day(*date);
            }
            let completed = &mut day.completed;
            day.open.retain(|chunk, open| {
                let Some(low) = open.marks.moved() else { return true };
                if low.complete {
                    completed.insert(chunk.clone());
                    if is_name(chunk) {
                        changes.completed(*date, chunk);
                    }
                } else if let Some(cursor) = low.position
                    && is_name(chunk)
                {
                    changes.chunk(*date, chunk, &cursor);
                }
                !low.complete
            });
        }
        let over = |day: &Day| day.over && day.open.is_empty();
        days.iter().filter(|(_, day)| over(day)).for_each(|(date, _)| changes.day_gone(*date));
        days.retain(|_, day| !over(day));
    }

    fn days(&self) -> MutexGuard<'_, BTreeMap<Date, Day>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
