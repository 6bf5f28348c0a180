//! How far a file has been brought everywhere, although its lines are done out of order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The lines that are not done yet, and how many may be.
#[derive(Debug)]
pub(super) struct Marks {
    state: Mutex<State>,
    room: Semaphore,
    size: u32,
}

#[derive(Debug)]
struct State {
    /// The number of the first line in `lines`.
    first: u64,
    /// From the first that is not done: where each ends, and whether it is done.
    lines: VecDeque<(u64, bool)>,
    low: u64,
}

impl Marks {
    /// Everything up to `low` is done. `size` lines may be out at a time: this bounds the memory.
    pub(super) fn new(low: u64, size: u32) -> Arc<Self> {
        let state = State { first: 0, lines: VecDeque::new(), low };
        Arc::new(Self { state: Mutex::new(state), room: Semaphore::new(size as usize), size })
    }

    /// A line that goes out, as soon as there is room; `end` is where it ends.
    pub(super) async fn push(self: &Arc<Self>, end: u64) -> Done {
        // It is never closed.
        if let Ok(permit) = self.room.acquire().await {
            permit.forget();
        }
        let mut state = self.state();
        state.lines.push_back((end, false));
        let number = state.first + state.lines.len() as u64 - 1;
        drop(state);
        Done { marks: self.clone(), number }
    }

    /// A line that goes nowhere.
    pub(super) fn skip(&self, end: u64) {
        let mut state = self.state();
        match state.lines.back_mut() {
            None => state.low = end,
            Some((last, true)) => *last = end,
            Some(_) => state.lines.push_back((end, true)),
        }
    }

    /// Everything before this is done.
    pub(super) fn low(&self) -> u64 {
        self.state().low
    }

    /// Waits until no line is out.
    pub(super) async fn empty(&self) {
        let _ = self.room.acquire_many(self.size).await;
    }

    /// The same, for so long at most.
    pub(super) async fn drained(&self, within: Duration) {
        let _ = timeout(within, self.empty()).await;
    }

    fn done(&self, number: u64) {
        let mut state = self.state();
        let index = usize::try_from(number - state.first).unwrap_or(usize::MAX);
        if let Some((_, done)) = state.lines.get_mut(index) {
            *done = true;
        }
        while let Some((end, true)) = state.lines.front().copied() {
            state.lines.pop_front();
            state.first += 1;
            state.low = end;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a line has been brought everywhere. Dropped instead, the cursor stays before it.
pub(crate) struct Done {
    marks: Arc<Marks>,
    number: u64,
}

impl Done {
    pub(super) fn done(self) {
        self.marks.done(self.number);
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        self.marks.room.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_mark_stays_before_what_is_not_done() {
        let marks = Marks::new(10, 4);
        let (one, two) = (marks.push(20).await, marks.push(30).await);
        marks.skip(40);
        let three = marks.push(50).await;
        two.done();
        assert_eq!(marks.low(), 10);
        one.done();
        assert_eq!(marks.low(), 40);
        drop(three);
        marks.empty().await;
        assert_eq!(marks.low(), 40);
        marks.skip(60);
        assert_eq!(marks.low(), 40, "it stays before what was dropped");
    }
}
