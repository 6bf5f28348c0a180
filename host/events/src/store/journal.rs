//! What the disk does not have yet, and who waits for it.

use super::Name;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// At most so often a group is committed, unless somebody waits for it. With the commit itself it is
/// what a `kill -9` can lose of values and tokens.
pub(crate) const INTERVAL: Duration = Duration::from_millis(20);
/// So often a file is tried again that could not be written.
const RETRY: Duration = Duration::from_secs(1);
/// So often what has expired is cleaned away while nothing happens.
const CLEANING: Duration = Duration::from_secs(1);

/// Something to keep. Rows are never changed: what replaces one has an id of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) name: Name,
    /// In the store's time; [`NEVER`] if it does not expire by itself.
    pub(crate) expires: u64,
    /// Empty for tokens.
    pub(crate) value: Arc<[u8]>,
}

impl Row {
    pub(crate) fn token(name: Name, expires: u64) -> Self {
        Self { kind: Kind::Token, name, expires, value: Arc::default() }
    }
}

/// When a row expires that does not.
pub(crate) const NEVER: u64 = u64::MAX;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Value,
    Token,
    Lock,
}

/// Changes that go to the disk together. An id is put once and deleted once, so the order among
/// different ids says nothing.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) puts: BTreeMap<u64, Row>,
    pub(crate) deletes: Vec<u64>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.deletes.is_empty()
    }

    fn delete(&mut self, id: u64) {
        self.puts.remove(&id);
        // Also if it was still waiting: after a failed write the whole of the memory is written, the
        // rows that wait among it.
        self.deletes.push(id);
    }
}

/// Changes on their way to the disk, between those who make them and the writer.
#[derive(Debug)]
pub(crate) struct Journal {
    next_id: AtomicU64,
    /// `None`: there is no disk.
    state: Option<Mutex<State>>,
    wake: Condvar,
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    batch: Batch,
    /// Batches that the writer has taken, and those that it is done with.
    taken: u64,
    finished: u64,
    /// Why the last batch could not be written.
    failing: Option<String>,
    hurry: bool,
    stop: bool,
    /// And nobody will take what there is.
    abandoned: bool,
}

impl Journal {
    /// Of a store on disk.
    pub(crate) fn new() -> Self {
        Self { state: Some(Mutex::default()), ..Self::off() }
    }

    /// Of a store without a disk: it only counts ids.
    pub(crate) fn off() -> Self {
        let (wake, done) = (Condvar::new(), Condvar::new());
        Self { next_id: AtomicU64::new(1), state: None, wake, done }
    }

    /// An id that no row has had since the program started.
    pub(crate) fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Relaxed)
    }

    /// The file has this id.
    pub(crate) fn seen(&self, id: u64) {
        self.next_id.fetch_max(id.saturating_add(1), Relaxed);
    }

    /// Notes a change, in the order in which memory has seen it: the caller holds the lock under which
    /// it changed memory.
    pub(crate) fn record(&self, put: Option<(u64, Row)>, deletes: &[u64]) {
        let Some(mut state) = self.state() else { return };
        let first = state.batch.is_empty();
        state.batch.puts.extend(put);
        for id in deletes {
            state.batch.delete(*id);
        }
        if first {
            self.wake.notify_one();
        }
    }

    /// Waits until the disk has everything that was recorded before. While it cannot be written, or
    /// when the store is closed, this does not wait: an error says why.
    pub(crate) fn flush(&self) -> Result<(), String> {
        let Some(mut state) = self.state() else { return Ok(()) };
        if let Some(error) = &state.failing {
            return Err(error.clone());
        }
        if state.stop {
            return Err("the store is closed".to_owned());
        }
        let last = state.taken + u64::from(!state.batch.is_empty());
        state.hurry = true;
        self.wake.notify_one();
        state = wait(&self.done, state, |state| state.finished < last && !state.abandoned);
        state.failing.clone().map_or(Ok(()), Err)
    }

    /// The next batch for the disk, at most one each [`INTERVAL`]. It is empty when it is time to
    /// clean, or to try a file again; `None` when the store is closed and everything was taken.
    pub(crate) fn next(&self, last: Instant) -> Option<Batch> {
        let mut state = self.state()?;
        if state.failing.is_some() {
            state = wait_for(&self.wake, state, RETRY, |state| !state.stop);
        } else {
            state = wait_for(&self.wake, state, CLEANING, |it| it.batch.is_empty() && !it.stop);
            if !state.batch.is_empty() {
                let rest = INTERVAL.saturating_sub(last.elapsed());
                state = wait_for(&self.wake, state, rest, |it| !it.hurry && !it.stop);
            }
        }
        if state.batch.is_empty() {
            return (!state.stop).then(Batch::default);
        }
        state.taken += 1;
        state.hurry = false;
        Some(std::mem::take(&mut state.batch))
    }

    /// The writer is done with what it has taken, well or not.
    pub(crate) fn finish(&self, result: Result<(), String>) {
        let Some(mut state) = self.state() else { return };
        state.finished = state.taken;
        state.failing = result.err();
        self.done.notify_all();
    }

    /// Lets the writer end once it has taken everything.
    pub(crate) fn stop(&self) {
        let Some(mut state) = self.state() else { return };
        state.stop = true;
        self.wake.notify_one();
    }

    /// After [`Self::stop`]: another writer is about to take what was recorded, also meanwhile.
    pub(crate) fn resume(&self) {
        let Some(mut state) = self.state() else { return };
        state.stop = false;
        state.abandoned = false;
    }

    /// After [`Self::resume`]: there is no other writer. Whoever waits for it hears of that.
    pub(crate) fn abandon(&self, why: String) {
        let Some(mut state) = self.state() else { return };
        (state.stop, state.abandoned) = (true, true);
        state.failing = Some(why);
        self.done.notify_all();
    }

    /// How many changes wait, how many batches were finished, and why the last one was not written.
    pub(crate) fn progress(&self) -> (usize, u64, Option<String>) {
        let Some(state) = self.state() else { return (0, 0, None) };
        let waiting = state.batch.puts.len() + state.batch.deletes.len();
        (waiting, state.finished, state.failing.clone())
    }

    /// Waits until a batch was finished after which this is so.
    #[cfg(test)]
    pub(crate) fn wait_until(&self, so: impl Fn(u64, Option<&str>) -> bool) {
        let state = self.state().unwrap();
        drop(wait(&self.done, state, |it| !so(it.finished, it.failing.as_deref())));
    }

    fn state(&self) -> Option<MutexGuard<'_, State>> {
        self.state.as_ref().map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn wait<'a>(
    on: &Condvar,
    state: MutexGuard<'a, State>,
    while_so: impl Fn(&State) -> bool,
) -> MutexGuard<'a, State> {
    on.wait_while(state, |state| while_so(state)).unwrap_or_else(PoisonError::into_inner)
}

fn wait_for<'a>(
    on: &Condvar,
    state: MutexGuard<'a, State>,
    time: Duration,
    while_so: impl Fn(&State) -> bool,
) -> MutexGuard<'a, State> {
    let waited = on.wait_timeout_while(state, time, |state| while_so(state));
    waited.unwrap_or_else(PoisonError::into_inner).0
}
