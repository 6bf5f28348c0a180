//! The states of a plugin, from its declaration to its end.

use super::stats::Stats;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// What has become of a plugin.
///
/// ```text
/// declared → loading → ready → active ⇄ disabled
///                  ↘ refused   ↓ ↖ shadow ← ready
///                           draining → retired
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The configuration or a folder names it.
    Declared,
    /// Its file is being read, checked and registered.
    Loading,
    /// Loaded; in no chain that takes requests yet.
    Ready,
    /// It sees copies of requests; what it decides is compared, and has no effect.
    Shadow,
    /// In the chain that new requests take.
    Active,
    /// In a chain that only requests under way still pass.
    Draining,
    /// Nothing passes it any more; its code stays mapped.
    Retired,
    /// It did not load; the reason says why.
    Refused,
    /// In the chain, and not called: an operator's decision, or its breaker's.
    Disabled,
}

impl State {
    /// Its name in logs, metrics and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Shadow => "shadow",
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Retired => "retired",
            Self::Refused => "refused",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The record of one plugin in one place, from one load to its end. It outlives the plugin.
pub struct Life {
    id: u64,
    now: Mutex<Now>,
    stats: Stats,
}

struct Now {
    state: State,
    reason: String,
    since: SystemTime,
}

impl Default for Life {
    /// A life that begins: [`State::Declared`], with a number that no other has in this process.
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let now = Now { state: State::Declared, reason: String::new(), since: SystemTime::now() };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { id, now: Mutex::new(now), stats: Stats::default() }
    }
}

impl Life {
    /// Its number: later lives have higher ones.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What it has done.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The state, since when, and why if there is a reason to give.
    pub fn now(&self) -> (State, SystemTime, String) {
        let now = self.lock();
        (now.state, now.since, now.reason.clone())
    }

    /// The state.
    pub fn state(&self) -> State {
        self.lock().state
    }

    /// Enters a state that needs no reason.
    pub fn enter(&self, state: State) {
        self.enter_because(state, "");
    }

    /// Enters a state. From [`State::Retired`] and [`State::Refused`] there is no way back.
    pub fn enter_because(&self, state: State, reason: &str) {
        let mut now = self.lock();
        if !matches!(now.state, State::Retired | State::Refused) {
            *now = Now { state, reason: reason.to_owned(), since: SystemTime::now() };
        }
    }

    /// Enters a state from one of some others; from all others it does not.
    pub(super) fn exchange(&self, from: &[State], to: State, reason: &str) {
        let mut now = self.lock();
        if from.contains(&now.state) {
            *now = Now { state: to, reason: reason.to_owned(), since: SystemTime::now() };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_stays_so() {
        let (first, second) = (Life::default(), Life::default());
        assert!(first.id() < second.id());
        assert_eq!(first.state(), State::Declared);
        first.enter_because(State::Disabled, "it failed too often");
        assert_eq!(first.now().2, "it failed too often");
        first.enter(State::Active);
        assert_eq!(first.now().2, "");
        first.enter(State::Retired);
        first.enter(State::Active);
        assert_eq!(first.state(), State::Retired);
    }
}
