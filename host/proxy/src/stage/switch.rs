//! Whether a plugin is called: an operator's switch, and a breaker.

use super::life::{Life, State};
use super::policy::Breaker;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A breaker that opens again and again rests twice as long each time, up to this; or as long as
/// its rest is, if that is longer.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Where the switch of a plugin stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// It is called.
    On,
    /// An operator has turned it off.
    Off,
    /// Its breaker has: now and then a request tries it.
    Open,
}

/// The switch of a plugin. Changes under its lock go into the plugin's life as well, so that what is
/// shown is what is done; calls only read the position.
#[derive(Default)]
pub(super) struct Switch {
    position: AtomicU8,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    /// The last failures, the oldest first: no more than open the breaker.
    failures: VecDeque<Instant>,
    /// While it is open: how long it rests, and when it may be tried.
    rest: Duration,
    try_at: Option<Instant>,
    /// Why it is not on.
    why: String,
}

/// What a failure has done to the breaker.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// How long it rests.
    pub(super) rest: Duration,
    /// Whether it was open before: an attempt has failed.
    pub(super) again: bool,
}

impl Switch {
    pub(super) fn position(&self) -> Position {
        // Nothing else is read on the strength of it: the lock has the rest.
        match self.position.load(Ordering::Relaxed) {
            0 => Position::On,
            1 => Position::Off,
            _ => Position::Open,
        }
    }

    /// An operator turns it off. An error if it is in no chain for new requests.
    pub(super) fn turn_off(&self, why: &str, life: &Life) -> Result<(), State> {
        let mut record = self.lock();
        in_use(life)?;
        *record = Record { why: why.to_owned(), ..Record::default() };
        self.set(Position::Off);
        life.enter_because(State::Disabled, why);
        Ok(())
    }

    /// An operator turns it on again, whoever turned it off. An error if it is in no chain for new
    /// requests.
    pub(super) fn turn_on(&self, life: &Life) -> Result<(), State> {
        let mut record = self.lock();
        in_use(life)?;
        *record = Record::default();
        self.set(Position::On);
        life.enter(State::Active);
        Ok(())
    }

    /// New requests pass it from here on: [`State::Active`], unless it is turned off.
    pub(super) fn activate(&self, life: &Life) {
        let record = self.lock();
        match self.position() {
            Position::On => life.enter(State::Active),
            Position::Off | Position::Open => life.enter_because(State::Disabled, &record.why),
        }
    }

    /// Only requests under way pass it from here on.
    pub(super) fn drain(&self, life: &Life) {
        let _record = self.lock();
        life.enter(State::Draining);
    }

    /// Whether a request may try it although the breaker is open: one each time that it has rested.
    pub(super) fn may_try(&self) -> bool {
        let mut record = self.lock();
        let now = Instant::now();
        let may = self.position() == Position::Open && record.try_at.is_some_and(|at| at <= now);
        if may {
            // An attempt that never ends, or that its client gives up, is followed by another.
            record.try_at = Some(now + record.rest);
        }
        may
    }

    /// It has failed; says whether that opens the breaker. While it is open only attempts count:
    /// what was under way when it opened says nothing new.
    pub(super) fn failed(
        &self,
        breaker: &Breaker,
        attempt: bool,
        error: &str,
        life: &Life,
    ) -> Option<Opened> {
        let mut record = self.lock();
        let now = Instant::now();
        let (rest, again) = match self.position() {
            Position::On => {
                record.failures.push_back(now);
                if record.failures.len() < breaker.failures as usize {
                    return None;
                }
                let first = record.failures.pop_front()?;
                if now - first > breaker.window {
                    return None;
                }
                (breaker.rest, false)
            }
            Position::Open if attempt => {
                let longest = LONGEST_REST.max(breaker.rest);
                ((record.rest * 2).min(longest), true)
            }
            Position::Open | Position::Off => return None,
        };
        let Breaker { failures, window, .. } = breaker;
        let what = match again {
            true => "the attempt failed".to_owned(),
            false => format!("{failures} failures within {window:?}"),
        };
        let why = format!("breaker: {what}, the last: {error}; next attempt after {rest:?}");
        life.exchange(&[State::Active, State::Disabled], State::Disabled, &why);
        *record = Record { failures: VecDeque::new(), rest, try_at: Some(now + rest), why };
        self.set(Position::Open);
        Some(Opened { rest, again })
    }

    /// An attempt has gone well; says whether that closes the breaker.
    pub(super) fn recovered(&self, life: &Life) -> bool {
        let mut record = self.lock();
        if self.position() != Position::Open {
            return false;
        }
        *record = Record::default();
        self.set(Position::On);
        life.exchange(&[State::Disabled], State::Active, "");
        true
    }

    fn set(&self, position: Position) {
        self.position.store(position as u8, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_use(life: &Life) -> Result<(), State> {
    match life.state() {
        State::Active | State::Disabled => Ok(()),
        other => Err(other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)] // a breaker's rest is over by time alone

    use super::*;
    use std::thread::sleep;

    const BREAKER: Breaker =
        Breaker { failures: 3, window: Duration::from_secs(60), rest: Duration::from_millis(20) };

    fn active() -> (Switch, Life) {
        let (switch, life) = (Switch::default(), Life::default());
        switch.activate(&life);
        (switch, life)
    }

    #[test]
    fn the_breaker_opens_rests_and_closes() {
        let (switch, life) = active();
        let fail = |attempt| switch.failed(&BREAKER, attempt, "in request", &life);
        assert_eq!((fail(false), fail(false)), (None, None));
        assert_eq!(fail(false), Some(Opened { rest: BREAKER.rest, again: false }));
        assert_eq!((switch.position(), life.state()), (Position::Open, State::Disabled));
        assert_eq!(
            life.now().2,
            "breaker: 3 failures within 60s, the last: in request; next attempt after 20ms"
        );
        assert!(!switch.may_try(), "it has to rest first");
        assert_eq!(fail(false), None, "what was under way says nothing new");
        sleep(BREAKER.rest);
        assert!(switch.may_try());
        assert!(!switch.may_try(), "one request tries, not all");
        assert_eq!(fail(true), Some(Opened { rest: 2 * BREAKER.rest, again: true }));
        sleep(BREAKER.rest);
        assert!(!switch.may_try(), "it rests twice as long");
        sleep(BREAKER.rest);
        assert!(switch.may_try());
        assert!(switch.recovered(&life));
        assert_eq!((switch.position(), life.state()), (Position::On, State::Active));
        assert_eq!((fail(false), fail(false)), (None, None), "it begins anew");
    }

    #[test]
    fn a_rest_has_an_end() {
        let (switch, life) = active();
        let breaker = Breaker { failures: 1, rest: Duration::from_secs(25), ..BREAKER };
        let rests: Vec<_> = (0..4)
            .filter_map(|_| switch.failed(&breaker, true, "", &life))
            .map(|opened| opened.rest.as_secs())
            .collect();
        assert_eq!(rests, [25, 50, 60, 60]);
        let long = Breaker { rest: Duration::from_secs(3600), ..breaker };
        let (switch, life) = active();
        switch.failed(&long, false, "", &life);
        assert_eq!(switch.failed(&long, true, "", &life).unwrap().rest, long.rest);
    }

    #[test]
    fn failures_that_are_far_between_do_not_open_it() {
        let (switch, life) = active();
        let breaker = Breaker { window: Duration::from_millis(5), ..BREAKER };
        for _ in 0..6 {
            assert_eq!(switch.failed(&breaker, false, "", &life), None);
            sleep(breaker.window);
        }
    }

    #[test]
    fn an_operator_is_above_the_breaker() {
        let (switch, life) = active();
        switch.turn_off("by an operator", &life).unwrap();
        assert_eq!((switch.position(), life.state()), (Position::Off, State::Disabled));
        for attempt in [false, true, false] {
            assert_eq!(switch.failed(&BREAKER, attempt, "", &life), None);
        }
        assert!(!switch.may_try() && !switch.recovered(&life));
        switch.drain(&life);
        assert_eq!(switch.turn_on(&life), Err(State::Draining));
        switch.activate(&life); // back in the chain
        assert_eq!(life.now().2, "by an operator");
        switch.turn_on(&life).unwrap();
        assert_eq!((switch.position(), life.state()), (Position::On, State::Active));
    }
}
