//! Both stores against a naive one, over random histories.

use super::super::clock::Clock;
use super::super::journal::Journal;
use super::*;
use crate::store::{MemoryStore, Store};
use proptest::prelude::*;
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Step {
    Get(Slot),
    Set(Slot, u8, Option<u64>),
    Delete(Slot),
    Take(Slot, u64),
    /// Gives back the token that was taken so many takes ago, to this name.
    Return(Slot, usize),
    Release(Slot),
    Pass(u64),
    SetWall(u64),
    /// Ends the run, and begins another one after so long.
    Restart(u64),
}

/// One of a few names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot(&'static str, &'static str);

fn slot() -> impl Strategy<Value = Slot> {
    let (spaces, keys) = (prop::sample::select(vec!["p", "pa"]), vec!["", "a", "aa"]);
    (spaces, prop::sample::select(keys)).prop_map(|(space, key)| Slot(space, key))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let millis = || 0_u64..5000;
    let step = prop_oneof![
        3 => slot().prop_map(Step::Get),
        3 => (slot(), any::<u8>(), prop::option::of(millis()))
            .prop_map(|(slot, value, ttl)| Step::Set(slot, value, ttl)),
        1 => slot().prop_map(Step::Delete),
        8 => (slot(), millis()).prop_map(|(slot, ttl)| Step::Take(slot, ttl)),
        2 => (slot(), 0_usize..4).prop_map(|(slot, back)| Step::Return(slot, back)),
        1 => slot().prop_map(Step::Release),
        6 => millis().prop_map(Step::Pass),
        1 => (0..2 * TODAY).prop_map(Step::SetWall),
        1 => millis().prop_map(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

/// The store as the documentation has it, and as slow as can be.
#[derive(Default)]
struct Model {
    now: u64,
    values: Vec<(Slot, u8, Option<u64>)>,
    tokens: Vec<(Slot, u64, u64)>,
}

impl Model {
    fn tidy(&mut self) {
        let now = self.now;
        self.values.retain(|value| value.2.is_none_or(|expires| expires > now));
        self.tokens.retain(|token| token.2 > now);
    }

    fn remove_value(&mut self, slot: Slot) -> bool {
        let before = self.values.len();
        self.values.retain(|value| value.0 != slot);
        before > self.values.len()
    }

    fn count(&self, slot: Slot) -> u64 {
        self.tokens.iter().filter(|token| token.0 == slot).count() as u64
    }
}

/// Runs a history; `restart` ends a run, lets so many milliseconds pass and begins the next.
fn check<S: Store>(
    steps: Vec<Step>,
    time: &FakeTime,
    mut store: S,
    restart: impl Fn(S, u64) -> S,
) -> Result<(), TestCaseError> {
    let (mut model, mut taken) = (Model::default(), Vec::new());
    for step in steps {
        model.tidy();
        match step {
            Step::Get(slot) => {
                let value = model.values.iter().find(|value| value.0 == slot);
                let value = value.map(|value| vec![value.1]);
                prop_assert_eq!(store.get(slot.0, slot.1.as_bytes()), Ok(value));
            }
            Step::Set(slot, value, ttl) => {
                model.remove_value(slot);
                model.values.push((slot, value, ttl.map(|ttl| model.now + ttl)));
                let ttl = ttl.map(Duration::from_millis);
                prop_assert_eq!(store.set(slot.0, slot.1.as_bytes(), &[value], ttl), Ok(()));
            }
            Step::Delete(slot) => {
                let was = model.remove_value(slot);
                prop_assert_eq!(store.delete(slot.0, slot.1.as_bytes()), Ok(was));
            }
            Step::Take(slot, ttl) => {
                let ttl_time = Duration::from_millis(ttl);
                let token = store.take_token(slot.0, slot.1.as_bytes(), ttl_time).unwrap();
                model.tokens.push((slot, token.id, model.now + ttl));
                taken.push(token.id);
                prop_assert_eq!(token.alive, model.count(slot));
            }
            Step::Return(slot, back) => {
                let Some(id) = taken.iter().rev().nth(back).copied() else { continue };
                model.tokens.retain(|token| (token.0, token.1) != (slot, id));
                prop_assert_eq!(store.return_token(slot.0, slot.1.as_bytes(), id), Ok(()));
            }
            Step::Release(slot) => {
                let alive = model.count(slot);
                model.tokens.retain(|token| token.0 != slot);
                prop_assert_eq!(store.release_tokens(slot.0, slot.1.as_bytes()), Ok(alive));
            }
            Step::Pass(millis) => {
                time.pass(millis);
                model.now += millis;
            }
            Step::SetWall(wall) => time.set_wall(wall),
            Step::Restart(millis) => {
                store = restart(store, millis);
                model.now += millis;
                // Ids are good for one run.
                taken.clear();
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_does_what_the_model_does(steps in steps()) {
        let time = FakeTime::at(TODAY);
        let clock = Clock::resume(Box::new(time.clone()), None);
        let store = MemoryStore::with(ROOM, clock, Arc::new(Journal::off()));
        check(steps, &time, store, |store, millis| {
            time.pass(millis);
            store
        })?;
    }
}

proptest! {
    // Each restart waits for the disk.
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_disk_does_what_the_model_does_over_restarts(steps in steps()) {
        let place = Place::new();
        let store = place.open();
        check(steps, &place.time, store, |store, millis| {
            drop(store);
            place.time.pass(millis);
            place.open()
        })?;
    }
}
