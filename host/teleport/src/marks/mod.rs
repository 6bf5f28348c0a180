//! How far a stream of events has been brought everywhere, although they are done out of order.
//!
//! Each event has a position; the low-water mark is the position up to which every event is done.
//! Only it is ever saved: after a crash what lies behind it is read again, and nothing is lost.

mod done;
mod room;

pub use done::Done;
pub(crate) use room::Room;

use done::Stream;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The events of a stream (a chunk, the windows, a recording) that are not done yet.
#[derive(Debug)]
pub(crate) struct Marks<P> {
    state: Mutex<State<P>>,
    room: Arc<Room>,
}

#[derive(Debug)]
struct State<P> {
    /// The number of the next event.
    next: u64,
    /// The events from the first that is not done, by their numbers. Those that are done one after
    /// another are only the last of them: so there are never more than twice as many slots as events
    /// that are out, and these the room bounds, however long one of them holds the mark.
    slots: BTreeMap<u64, Slot<P>>,
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

impl<P> State<P> {
    fn add(&mut self, slot: Slot<P>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.slots.insert(number, slot);
        number
    }

    fn move_to(&mut self, position: P) {
        self.low = Some(position);
        self.moved = true;
    }

    fn done(&mut self, number: u64) {
        if let Some(slot) = self.slots.get_mut(&number) {
            slot.done = true;
        }
        let is_done = |(number, slot): (&u64, &Slot<P>)| slot.done.then_some(*number);
        // With the one after it, if that is done: of both only the later says anything.
        let later = self.slots.range(number + 1..).next().and_then(is_done);
        if later.is_some() {
            self.slots.remove(&number);
        }
        if let Some(earlier) = self.slots.range(..number).next_back().and_then(is_done) {
            self.slots.remove(&earlier);
        }
        if let Some(first) = self.slots.first_entry()
            && first.get().done
        {
            let position = first.remove().position;
            self.move_to(position);
        }
    }
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
        let slots = BTreeMap::new();
        let state = State { next: 0, slots, low: None, ended: false, moved: false };
        Arc::new(Self { state: Mutex::new(state), room })
    }

    /// An event that goes out now. Its place in the room has been taken.
    pub(crate) fn push(self: &Arc<Self>, position: P) -> Done {
        let mut state = self.state();
        let number = state.add(Slot { position, done: false });
        drop(state);
        Done { of: Some((self.clone(), number)) }
    }

    /// An event that goes nowhere: the mark moves over it as if it were done.
    pub(crate) fn skip(&self, position: P) {
        let mut state = self.state();
        match state.slots.last_entry() {
            None => state.move_to(position),
            Some(mut slot) if slot.get().done => slot.get_mut().position = position,
            Some(_) => {
                state.add(Slot { position, done: true });
            }
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
        self.state().done(number);
        self.room.done();
    }

    fn dropped(&self) {
        self.room.dropped();
    }
}

#[cfg(test)]
mod tests;
