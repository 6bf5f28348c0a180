//! How far a stream of events has been brought everywhere, although they are done out of order.
//!
//! Each event has a position; the low-water mark is the position up to which every event is done.
//! Only it is ever saved: after a crash what lies behind it is read again, and nothing is lost.

use crate::metrics::Metrics;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// How many events may be out at a time, over all streams: this bounds the memory.
#[derive(Debug)]
pub(crate) struct Room {
    permits: Semaphore,
    size: u32,
    /// Places of events that were dropped.
    held: AtomicUsize,
    /// From here on events may be dropped without a word: the program ends.
    ending: AtomicBool,
    metrics: Metrics,
}

impl Room {
    pub(crate) fn new(size: u32, metrics: Metrics) -> Self {
        let permits = Semaphore::new(size as usize);
        let (held, ending) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { permits, size, held, ending, metrics }
    }

    /// Waits for a place; it is given back when the event is done.
    pub(crate) async fn take(&self) {
        // It is never closed.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
    }

    /// No more events will be taken in: those that are dropped are not waited for.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.permits.add_permits(self.held.swap(0, Ordering::SeqCst));
    }

    /// After [`end`](Self::end): waits until no event is out.
    pub(crate) async fn empty(&self) {
        let _ = self.permits.acquire_many(self.size).await;
    }

    fn dropped(&self) {
        if self.ending.load(Ordering::SeqCst) {
            self.permits.add_permits(1);
            return;
        }
        self.held.fetch_add(1, Ordering::SeqCst);
        if self.metrics.dropped.inc() == 0 {
            tracing::error!(
                "an event was dropped before it was delivered: the cursor stays before it, and it is \
                 read again after a restart"
            );
        }
    }
}

/// The events of a stream (a chunk, the windows, a recording) that are not done yet.
#[derive(Debug)]
pub(crate) struct Marks<P> {
    state: Mutex<State<P>>,
    room: Arc<Room>,
}

#[derive(Debug)]
struct State<P> {
    /// The number of the first slot.
    first: u64,
    /// The events from the first that is not done.
    slots: VecDeque<Slot<P>>,
    low: Option<P>,
    ended: bool,
    /// Whether the mark has moved, or the stream ended, since somebody asked.
    moved: bool,
}

#[derive(Debug)]
struct Slot<P> {
    position: P,
    done: bool,
}

/// What is to be saved of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Low<P> {
    /// Up to here all is done.
    pub(crate) position: Option<P>,
    /// The stream has ended, and all of it is done.
    pub(crate) complete: bool,
}

impl<P: Clone + Send + 'static> Marks<P> {
    pub(crate) fn new(room: Arc<Room>) -> Arc<Self> {
        let slots = VecDeque::new();
        let state = State { first: 0, slots, low: None, ended: false, moved: false };
        Arc::new(Self { state: Mutex::new(state), room })
    }

    /// An event that goes out now. Its place in the room has been taken.
    pub(crate) fn push(self: &Arc<Self>, position: P) -> Done {
        let mut state = self.state();
        state.slots.push_back(Slot { position, done: false });
        let number = state.first + state.slots.len() as u64 - 1;
        drop(state);
        Done { of: Some((self.clone(), number)) }
    }

    /// An event that goes nowhere: the mark moves over it as if it were done.
    pub(crate) fn skip(&self, position: P) {
        let mut state = self.state();
        match state.slots.back_mut() {
            None => {
                state.low = Some(position);
                state.moved = true;
            }
            // Nothing between two that are done needs a slot of its own: however many are skipped
            // behind one that is not done, the memory stays.
            Some(slot) if slot.done => slot.position = position,
            Some(_) => state.slots.push_back(Slot { position, done: true }),
        }
    }

    /// No more events will come.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.moved = true;
    }

    /// What has changed since the last call.
    pub(crate) fn moved(&self) -> Option<Low<P>> {
        let mut state = self.state();
        std::mem::take(&mut state.moved).then(|| Low {
            position: state.low.clone(),
            complete: state.ended && state.slots.is_empty(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a [`Done`] tells, whatever a position is.
trait Stream: Send + Sync {
    fn done(&self, number: u64);
    fn dropped(&self);
}

impl<P: Clone + Send + 'static> Stream for Marks<P> {
    fn done(&self, number: u64) {
        let mut state = self.state();
        let index = usize::try_from(number - state.first).unwrap_or(usize::MAX);
        if let Some(slot) = state.slots.get_mut(index) {
            slot.done = true;
        }
        while state.slots.front().is_some_and(|slot| slot.done) {
            state.low = state.slots.pop_front().map(|slot| slot.position);
            state.first += 1;
            state.moved = true;
        }
        drop(state);
        self.room.permits.add_permits(1);
    }

    fn dropped(&self) {
        self.room.dropped();
    }
}

/// Says that an event has been brought everywhere, or is to go nowhere.
///
/// If it is dropped instead, the cursor stays before the event: it is read again when the program
/// starts the next time. Its place among the events that may be out is not given back.
pub struct Done {
    of: Option<(Arc<dyn Stream>, u64)>,
}

impl Done {
    /// The cursor may move over this event.
    pub fn done(mut self) {
        if let Some((stream, number)) = self.of.take() {
            stream.done(number);
        }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some((stream, _)) = self.of.take() {
            stream.dropped();
        }
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Done").field(&self.of.as_ref().map(|(_, number)| number)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marks() -> Arc<Marks<u64>> {
        Marks::new(Arc::new(Room::new(1000, Metrics::default())))
    }

    fn low(position: u64) -> Low<u64> {
        Low { position: Some(position), complete: false }
    }

    #[test]
    fn the_mark_stays_before_a_gap() {
        let marks = marks();
        let [one, two, three] = [1, 2, 3].map(|position| marks.push(position));
        assert_eq!(marks.moved(), None);
        three.done();
        two.done();
        assert_eq!(marks.moved(), None);
        one.done();
        assert_eq!(marks.moved().unwrap(), low(3));
        assert_eq!(marks.moved(), None);
    }

    #[test]
    fn what_is_skipped_moves_the_mark_in_its_turn() {
        let marks = marks();
        marks.skip(1);
        assert_eq!(marks.moved().unwrap(), low(1));
        let two = marks.push(2);
        (3..100_000).for_each(|position| marks.skip(position));
        assert_eq!((marks.moved(), marks.state().slots.len()), (None, 2));
        two.done();
        assert_eq!(marks.moved().unwrap(), low(99_999));
    }

    #[test]
    fn a_stream_is_complete_when_all_of_it_is_done() {
        let marks = marks();
        let one = marks.push(1);
        marks.end();
        assert_eq!(marks.moved(), Some(Low { position: None, complete: false }));
        one.done();
        assert_eq!(marks.moved(), Some(Low { position: Some(1), complete: true }));
    }

    #[test]
    fn a_dropped_event_holds_the_mark_and_its_place() {
        let marks = marks();
        let (one, two) = (marks.push(1), marks.push(2));
        drop(one);
        two.done();
        assert_eq!((marks.moved(), marks.room.metrics.dropped.get()), (None, 1));
        assert_eq!(marks.room.permits.available_permits(), 1001); // of two, taken by nobody
    }

    proptest! {
        /// Whatever the order: the mark is before the first that is not done, and after all before it.
        #[test]
        fn the_mark_is_where_a_simple_count_says(order in Just((0..40_u64).collect::<Vec<_>>()).prop_shuffle()) {
            let marks = marks();
            let mut waiting: Vec<_> = (0..40).map(|position| Some(marks.push(position))).collect();
            for next in order {
                waiting[usize::try_from(next).unwrap()].take().unwrap().done();
                let first = waiting.iter().position(Option::is_some).unwrap_or(40) as u64;
                prop_assert_eq!(marks.state().low, first.checked_sub(1));
            }
        }
    }
}
