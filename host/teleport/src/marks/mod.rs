//! How far a stream of events has been brought everywhere, although they are done out of order.
//!
//! Each event has a position; the low-water mark is the position up to which every event is done.
//! Only it is ever saved: after a crash what lies behind it is read again, and nothing is lost.

mod done;
mod room;

pub use done::Done;
pub(crate) use room::Room;

use done::Stream;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
        self.room.done();
    }

    fn dropped(&self) {
        self.room.dropped();
    }
}

#[cfg(test)]
mod tests;
