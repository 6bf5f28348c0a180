//! A sink that fails is left alone for a while, and then asked by one delivery: not by all that wait.

use crate::retry::Retry;
use crate::sink::Later;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::time::{Instant, sleep_until};

/// So many failures in a row are an error in the log; before that they may be a restart.
const TRIES: u32 = 6;

/// What every delivery to one sink passes.
pub(super) struct Gate {
    sink: String,
    retry: Retry,
    state: Mutex<State>,
    /// Held by the delivery that asks whether the sink is up again.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// In a row. Deliveries that were under way together fail once.
    failures: u32,
    closed: Option<Closed>,
}

struct Closed {
    until: Instant,
    since: Instant,
    /// For people.
    began: SystemTime,
    reason: String,
    /// Whether the log has it.
    is_told: bool,
    /// Whether it has that somebody must mend something.
    is_told_to_mend: bool,
}

/// The right to try.
pub(super) struct Pass<'a> {
    /// The failures when it was given.
    failures: u32,
    _turn: Option<tokio::sync::MutexGuard<'a, ()>>,
}

impl Gate {
    pub(super) fn new(sink: &str, retry: Retry) -> Self {
        let turn = tokio::sync::Mutex::default();
        Self { sink: sink.to_owned(), retry, state: Mutex::default(), turn }
    }

    /// Waits until the sink may be tried.
    pub(super) async fn pass(&self) -> Pass<'_> {
        let (failures, until) = self.look();
        if until.is_none() {
            return Pass { failures, _turn: None };
        }
        let turn = self.turn.lock().await;
        // Whoever had the turn may have found it up, or down once more.
        match self.look() {
            (failures, None) => Pass { failures, _turn: None },
            (failures, Some(until)) => {
                sleep_until(until).await;
                Pass { failures, _turn: Some(turn) }
            }
        }
    }

    /// The sink has taken something, or refused it for good.
    pub(super) fn succeeded(&self) {
        let mut state = self.lock();
        state.failures = 0;
        if let Some(closed) = state.closed.take()
            && closed.is_told
        {
            let after = humantime::format_duration(whole_seconds(closed.since.elapsed()));
            tracing::info!(sink = self.sink, "{} takes events again, after {after}", self.sink);
        }
    }

    /// It has not. Returns when this delivery may ask for the next pass; `tries` are its own.
    pub(super) fn failed(&self, pass: &Pass<'_>, later: &Later, tries: u32) -> Instant {
        let mut state = self.lock();
        if pass.failures == state.failures {
            state.failures += 1;
        }
        let failures = state.failures.max(1);
        let now = Instant::now();
        let pause = self.retry.pause(failures).max(later.wait.unwrap_or_default());
        let until = now + pause;
        let closed = state.closed.get_or_insert_with(|| Closed {
            until,
            since: now,
            began: SystemTime::now(),
            reason: String::new(),
            is_told: false,
            is_told_to_mend: false,
        });
        closed.until = closed.until.max(until);
        closed.reason.clone_from(&later.reason);
        // What only people can mend is told at once.
        let news = match later.mend {
            true => !closed.is_told_to_mend,
            false => !closed.is_told && failures.max(tries) >= TRIES,
        };
        if news {
            closed.is_told = true;
            closed.is_told_to_mend |= later.mend;
            tracing::error!(
                sink = self.sink,
                "{} takes no events: {}; they wait, and it is tried again and again",
                self.sink,
                later.reason
            );
        } else {
            let pause = humantime::format_duration(pause);
            tracing::debug!(sink = self.sink, tries, "{}; again in {pause}", later.reason);
        }
        until
    }

    /// Since when it has been failing, and why.
    pub(super) fn failing(&self) -> Option<(SystemTime, String)> {
        self.lock().closed.as_ref().map(|closed| (closed.began, closed.reason.clone()))
    }

    fn look(&self) -> (u32, Option<Instant>) {
        let state = self.lock();
        (state.failures, state.closed.as_ref().map(|closed| closed.until))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole_seconds(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_secs(time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::time::Duration;

    fn gate() -> Gate {
        Gate::new("test", Retry { least: Duration::from_secs(1), most: Duration::from_secs(10) })
    }

    fn later() -> Later {
        Later { reason: "down".to_owned(), ..Later::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn one_asks_and_the_others_wait_for_its_answer() {
        let gate = gate();
        let pass = gate.pass().await;
        gate.failed(&pass, &later(), 1);
        let first = gate.pass().await; // after the pause, which the paused clock skips
        assert!(gate.pass().now_or_never().is_none(), "two ask at once");
        gate.succeeded();
        drop(first);
        assert!(gate.pass().now_or_never().is_some(), "it is up");
        assert!(gate.failing().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn deliveries_that_fail_together_count_once() {
        let gate = gate();
        let passes = [gate.pass().await, gate.pass().await, gate.pass().await];
        for pass in &passes {
            gate.failed(pass, &later(), 1);
        }
        assert_eq!(gate.look().0, 1);
        assert_eq!(gate.failing().unwrap().1, "down");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_sink_asks_for_is_waited() {
        let gate = gate();
        let before = Instant::now();
        let wait = Some(Duration::from_secs(120));
        gate.failed(&gate.pass().await, &Later { wait, ..later() }, 1);
        drop(gate.pass().await);
        assert!(before.elapsed() >= Duration::from_secs(120));
    }
}
