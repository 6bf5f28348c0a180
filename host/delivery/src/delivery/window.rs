//! How much may be on its way to a sink.

use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The limits of what is on its way to a sink: waiting, being sent, or waiting to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// So many events.
    pub events: usize,
    /// So much memory, about. An event that is larger goes alone.
    pub bytes: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { events: 8192, bytes: 32 << 20 }
    }
}

/// A window with what is in it.
#[derive(Debug)]
pub(super) struct Room {
    events: Semaphore,
    bytes: Semaphore,
    window: Window,
    taken: AtomicUsize,
}

impl Room {
    pub(super) fn new(window: Window) -> Self {
        let window = Window {
            events: window.events.clamp(1, Semaphore::MAX_PERMITS),
            bytes: window.bytes.clamp(1, u32::MAX as usize),
        };
        Self {
            events: Semaphore::new(window.events),
            bytes: Semaphore::new(window.bytes),
            window,
            taken: AtomicUsize::new(0),
        }
    }

    /// Waits until there is room for an event of this size, and takes it. Who came first is first.
    pub(super) async fn enter(&self, size: usize) {
        // Neither is ever closed. If this future is dropped between them nothing is taken.
        let event = self.events.acquire().await;
        let bytes = self.bytes.acquire_many(self.cost(size)).await;
        let _ = event.map(SemaphorePermit::forget);
        let _ = bytes.map(SemaphorePermit::forget);
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives the room of one event back.
    pub(super) fn leave(&self, size: usize) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
        self.events.add_permits(1);
        self.bytes.add_permits(self.cost(size) as usize);
    }

    /// How many events are in it.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    fn cost(&self, size: usize) -> u32 {
        u32::try_from(size.min(self.window.bytes)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn events_and_bytes_have_limits_of_their_own() {
        let room = Room::new(Window { events: 2, bytes: 100 });
        assert!(room.enter(60).now_or_never().is_some());
        assert!(room.enter(60).now_or_never().is_none(), "too many bytes");
        assert!(room.enter(10).now_or_never().is_some(), "what did not get in took nothing");
        assert!(room.enter(10).now_or_never().is_none(), "too many events");
        room.leave(10);
        room.leave(60);
        assert_eq!(room.taken(), 0);
        assert!(room.enter(1000).now_or_never().is_some(), "what is too large goes alone");
        assert!(room.enter(1).now_or_never().is_none());
    }
}
