//! A plugin that fails again and again rests: it would take the processor from its neighbours, and
//! fill the log.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many calls that had to be ended or trapped, one after another, and the plugin rests.
const PATIENCE: u32 = 3;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// How a plugin has fared lately.
#[derive(Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Default)]
struct State {
    failures: u32,
    rests_until: Option<Instant>,
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much longer it rests.
    pub(super) fn rests(&self, now: Instant) -> Option<Duration> {
        let left = self.lock().rests_until?.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }

    pub(super) fn succeeded(&self) {
        *self.lock() = State::default();
    }

    /// Says how long it rests now, if that has just begun. Each rest is twice as long as the last.
    pub(super) fn failed(&self, now: Instant) -> Option<Duration> {
        let mut state = self.lock();
        // Calls that were under way when the rest began tell nothing new.
        if state.rests_until.is_some_and(|until| until > now) {
            return None;
        }
        state.failures = state.failures.saturating_add(1);
        let beyond = state.failures.checked_sub(PATIENCE)?;
        let rest = SHORTEST.saturating_mul(1 << beyond.min(8)).min(LONGEST);
        state.rests_until = Some(now + rest);
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_after_three_failures_twice_as_long_each_time_up_to_a_minute() {
        let health = Health::default();
        let mut now = Instant::now();
        assert_eq!(health.failed(now), None);
        assert_eq!(health.failed(now), None);
        assert_eq!(health.rests(now), None);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let rest = Duration::from_secs(seconds);
            assert_eq!(health.failed(now), Some(rest));
            assert_eq!(health.failed(now), None); // was under way
            assert_eq!(health.rests(now), Some(rest));
            now += rest;
            assert_eq!(health.rests(now), None);
        }
    }

    #[test]
    fn one_success_forgives_all() {
        let health = Health::default();
        let now = Instant::now();
        assert_eq!([health.failed(now), health.failed(now)], [None, None]);
        health.succeeded();
        assert_eq!(health.failed(now), None);
        assert_eq!(health.rests(now), None);
    }
}
