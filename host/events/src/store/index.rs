//! Values and tokens in memory.

use super::journal::{Journal, Kind, Row};
use super::shard::{Gone, Shard, token_cost, value_cost};
use super::{Budget, Name, Shares, StoreError, Token};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More than there are threads, so that two seldom want the same one.
const SHARDS: usize = 64;

/// The truth of a store: names are spread over shards, each behind its own lock. `now` is the store's
/// time; whoever opens a shard first removes what is over by then, so no operation sees it.
#[derive(Debug)]
pub(crate) struct Index {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    budget: Budget,
    shares: Shares,
    journal: Arc<Journal>,
}

impl Index {
    pub(crate) fn new(limit: usize, journal: Arc<Journal>) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        let (budget, shares) = (Budget::new(limit), Shares::new(limit / 2));
        Self { shards, hasher: RandomState::new(), budget, shares, journal }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// How many values and tokens there are; what is over but not yet removed is among them.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let shards = self
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).counts());
        shards.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    pub(crate) fn value(&self, name: &Name, now: u64) -> Option<Vec<u8>> {
        self.open(name, now).value(name).map(<[u8]>::to_vec)
    }

    pub(crate) fn set(
        &self,
        name: &Name,
        value: &[u8],
        expires: u64,
        now: u64,
    ) -> Result<(), StoreError> {
        let bytes: Arc<[u8]> = value.into();
        self.with_room(now, || {
            let mut shard = self.open(name, now);
            let old = shard.value(name).map_or(0, |old| value_cost(name, old));
            let (space, new) = (name.space(), value_cost(name, value));
            self.shares.swap(space, old, new)?;
            self.budget.swap(old, new).inspect_err(|_| {
                let _ = self.shares.swap(space, new, old); // less always fits
            })?;
            let replaced = shard.remove_value(name);
            let id = self.journal.id();
            shard.add_value(id, name.clone(), expires, bytes.clone());
            let kind = Kind::Value;
            let row = Row { kind, name: name.clone(), expires, value: bytes.clone() };
            self.journal.record(Some((id, row)), &replaced.ids);
            Ok(())
        })
    }

    pub(crate) fn delete(&self, name: &Name, now: u64) -> bool {
        let mut shard = self.open(name, now);
        let gone = shard.remove_value(name);
        self.shares.free(name.space(), gone.bytes);
        self.forget(&gone) > 0
    }

    pub(crate) fn take_token(
        &self,
        name: &Name,
        expires: u64,
        now: u64,
    ) -> Result<Token, StoreError> {
        self.with_room(now, || {
            let mut shard = self.open(name, now);
            self.budget.swap(0, token_cost(name))?;
            let id = self.journal.id();
            let alive = shard.add_token(id, name, expires);
            self.journal.record(Some((id, Row::token(name.clone(), expires))), &[]);
            Ok(Token { alive, id })
        })
    }

    pub(crate) fn return_token(&self, name: &Name, id: u64, now: u64) {
        let mut shard = self.open(name, now);
        let gone = shard.remove_token(name, id);
        self.forget(&gone);
    }

    pub(crate) fn release_tokens(&self, name: &Name, now: u64) -> u64 {
        let mut shard = self.open(name, now);
        let gone = shard.remove_scope(name);
        self.forget(&gone)
    }

    /// Removes what is over, at most so many rows of each shard.
    pub(crate) fn clean(&self, now: u64, most: usize) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let gone = shard.expire(now, most);
            self.forget(&gone);
        }
    }

    /// Takes in a row of the file. Of two values of one name the later one counts.
    pub(crate) fn restore(&self, id: u64, row: Row) {
        self.journal.seen(id);
        let mut shard = lock(self.shard(&row.name));
        if row.kind == Kind::Token {
            self.budget.force(token_cost(&row.name));
            shard.add_token(id, &row.name, row.expires);
        } else {
            let replaced = shard.remove_value(&row.name);
            self.shares.free(row.name.space(), replaced.bytes);
            self.forget(&replaced);
            let cost = value_cost(&row.name, &row.value);
            self.budget.force(cost);
            self.shares.force(row.name.space(), cost);
            shard.add_value(id, row.name, row.expires, row.value);
        }
    }

    /// Everything that is there, one shard at a time.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u64, Row)> {
        self.shards.iter().flat_map(|shard| lock(shard).rows())
    }

    /// Once more, if it was full, after everything that is over has made room.
    fn with_room<T>(
        &self,
        now: u64,
        attempt: impl Fn() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        attempt().or_else(|_| {
            self.clean(now, usize::MAX);
            attempt()
        })
    }

    /// The caller holds the lock of the shard where it was. Says how many rows are gone.
    fn forget(&self, gone: &Gone) -> u64 {
        if !gone.ids.is_empty() {
            self.budget.free(gone.bytes);
            for (name, bytes) in &gone.values {
                self.shares.free(name.space(), *bytes);
            }
            self.journal.record(None, &gone.ids);
        }
        gone.ids.len() as u64
    }

    fn open(&self, name: &Name, now: u64) -> MutexGuard<'_, Shard> {
        let mut shard = lock(self.shard(name));
        let gone = shard.expire(now, usize::MAX);
        self.forget(&gone);
        shard
    }

    fn shard(&self, name: &Name) -> &Mutex<Shard> {
        // The remainder is less than SHARDS.
        #[allow(clippy::cast_possible_truncation)]
        &self.shards[self.hasher.hash_one(name) as usize % SHARDS]
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
