//! Saves the state twice a second, and more often under load: what has changed, in one go, on a thread
//! that may block.

use crate::bulk::Days;
use crate::config::Timing;
use crate::marks::Room;
use crate::metrics::Metrics;
use crate::sessions::Sessions;
use crate::state::{Changes, Folder};
use crate::windowed::Windows;
use host_lines::LogLimit;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// Under load, from one saving to the next.
const REST: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Saver {
    folder: Folder,
    days: Arc<Days>,
    windows: Arc<Windows>,
    sessions: Arc<Sessions>,
    room: Arc<Room>,
    metrics: Metrics,
    every: Duration,
    /// What could not be written is tried again with the next changes.
    unsaved: Changes,
    log: LogLimit,
}

impl Saver {
    pub(crate) fn new(
        folder: Folder,
        (days, windows, sessions): (Arc<Days>, Arc<Windows>, Arc<Sessions>),
        room: Arc<Room>,
        metrics: Metrics,
        timing: &Timing,
    ) -> Self {
        let (every, unsaved, log) = (timing.save, Changes::default(), LogLimit::default());
        Self { folder, days, windows, sessions, room, metrics, every, unsaved, log }
    }

    /// Saves until it is to end, and then once more.
    pub(crate) async fn run(mut self, end: CancellationToken) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.save().await,
                () = self.room.many_done() => {
                    self.save().await;
                    // A disk has more to do than this.
                    sleep(self.every.min(REST)).await;
                }
                () = end.cancelled() => break,
            }
        }
        self.save().await;
    }

    async fn save(&mut self) {
        // The cursors first: what an event has announced up to a cursor is noted then, and is a part of
        // what is saved with it.
        let mut changes = std::mem::take(&mut self.unsaved);
        self.days.changes(&mut changes);
        self.windows.changes(&mut changes);
        self.sessions.changes(&mut changes);
        if changes.is_empty() {
            return;
        }
        let folder = self.folder.clone();
        let saved = tokio::task::spawn_blocking(move || {
            let saved = folder.save(&mut changes);
            (changes, saved)
        });
        // It does not panic, and the runtime ends after us.
        let Ok((changes, saved)) = saved.await else { return };
        self.unsaved = changes;
        if let Err(error) = saved {
            self.metrics.state_errors.inc();
            if let Some(unlogged) = self.log.allow() {
                tracing::error!(unlogged, "the state cannot be saved, and is tried again: {error}");
            }
        }
    }
}
