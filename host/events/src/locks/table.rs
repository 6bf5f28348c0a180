//! The locks in memory.

use super::check::{check, held, millis};
use crate::store::{Budget, Journal, Kind, NEVER, Name, Row, StoreError};
use proto::prost::{DecodeError, Message};
use proto::types::LockV2;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What a lock takes beside its encoded self, twice: decoded, and among those of its user.
const LOCK: usize = 512;

/// Locks by name and by the user they hold. `now` is the wall clock's: a lock ends at a date.
#[derive(Debug)]
pub(crate) struct LockTable {
    /// How many there are: without any, nobody takes the lock below.
    count: AtomicUsize,
    tables: RwLock<Tables>,
    budget: Budget,
    journal: Arc<Journal>,
}

#[derive(Debug, Default)]
struct Tables {
    by_name: BTreeMap<Arc<str>, Entry>,
    by_user: HashMap<String, BTreeMap<Arc<str>, Hold>>,
    due: BTreeSet<(u64, Arc<str>)>,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    lock: LockV2,
    expires: u64,
    cost: usize,
}

impl Entry {
    /// Whoever keeps trying is locked anew each time; the lock that is there does as well if it was made,
    /// and ends, at about the same time, and costs no write. Made much later it is another, though neither
    /// ends: the first may have been removed where it was brought to.
    fn is_as_good_as(&self, lock: &LockV2, expires: u64) -> bool {
        const ABOUT: u64 = 5_000;
        let what = |lock: &LockV2| {
            lock.spec.as_ref().map(|spec| (spec.target.clone(), spec.message.clone()))
        };
        let made = |lock: &LockV2| lock.spec.as_ref().and_then(|spec| spec.created_at).map(millis);
        let made = made(lock).unwrap_or_default().abs_diff(made(&self.lock).unwrap_or_default());
        made < ABOUT && expires.abs_diff(self.expires) < ABOUT && what(lock) == what(&self.lock)
    }
}

#[derive(Debug)]
struct Hold {
    expires: u64,
    message: Arc<str>,
}

impl LockTable {
    /// Locks have room of their own: tokens, whose number users decide, must not keep a lock out.
    pub(crate) fn new(limit: usize, journal: Arc<Journal>) -> Self {
        let (count, tables) = (AtomicUsize::new(0), RwLock::default());
        Self { count, tables, budget: Budget::new(limit), journal }
    }

    pub(crate) fn upsert(&self, lock: LockV2, now: u64) -> Result<(), StoreError> {
        let checked = check(lock, now)?;
        self.clean(now, usize::MAX);
        let (name, value) = (name(&checked.lock), checked.lock.encode_to_vec());
        let row = Row {
            kind: Kind::Lock,
            name: Name::unchecked("", name.as_bytes()),
            expires: checked.expires,
            value: value.into(),
        };
        let mut tables = self.write();
        if tables
            .by_name
            .get(&name)
            .is_some_and(|old| old.is_as_good_as(&checked.lock, checked.expires))
        {
            return Ok(());
        }
        let old = tables.by_name.get(&name).map_or(0, |old| old.cost);
        let cost = cost(&row);
        self.budget.swap(old, cost)?;
        let id = self.journal.id();
        let replaced = tables.remove(&name).map(|entry| entry.id);
        let expires = checked.expires;
        tables.insert(name, Entry { id, lock: checked.lock, expires, cost });
        self.count.store(tables.by_name.len(), Relaxed);
        self.journal.record(Some((id, row)), replaced.as_slice());
        Ok(())
    }

    pub(crate) fn remove(&self, name: &str, now: u64) -> bool {
        self.clean(now, usize::MAX);
        let mut tables = self.write();
        let removed = tables.remove(name);
        self.count.store(tables.by_name.len(), Relaxed);
        self.forget(removed.as_slice());
        removed.is_some()
    }

    pub(crate) fn list(&self, now: u64) -> Vec<LockV2> {
        let tables = self.read();
        let alive = tables.by_name.values().filter(|entry| entry.expires > now);
        alive.map(|entry| entry.lock.clone()).collect()
    }

    /// The clock is asked only when there is a lock.
    pub(crate) fn locked(&self, user: &str, now: impl FnOnce() -> u64) -> Option<Arc<str>> {
        if self.count.load(Relaxed) == 0 {
            return None;
        }
        let tables = self.read();
        let holds = tables.by_user.get(user)?;
        let now = now();
        let hold = holds.values().find(|hold| hold.expires > now)?;
        Some(hold.message.clone())
    }

    /// Removes locks that are over, at most so many.
    pub(crate) fn clean(&self, now: u64, most: usize) {
        let over = |tables: &Tables| tables.due.first().is_some_and(|first| first.0 <= now);
        if self.count.load(Relaxed) == 0 || !over(&self.read()) {
            return;
        }
        let mut tables = self.write();
        let mut gone = Vec::new();
        while gone.len() < most && over(&tables) {
            let Some((_, name)) = tables.due.pop_first() else { break };
            gone.extend(tables.remove(&name));
        }
        self.count.store(tables.by_name.len(), Relaxed);
        self.forget(&gone);
    }

    /// Takes in a row of the file.
    pub(crate) fn restore(&self, id: u64, row: &Row) -> Result<(), DecodeError> {
        let lock = LockV2::decode(&*row.value)?;
        self.journal.seen(id);
        let mut tables = self.write();
        let replaced = tables.remove(&name(&lock));
        self.forget(replaced.as_slice());
        let (expires, cost) = (row.expires, cost(row));
        self.budget.force(cost);
        tables.insert(name(&lock), Entry { id, lock, expires, cost });
        self.count.store(tables.by_name.len(), Relaxed);
        Ok(())
    }

    /// Everything that is there.
    pub(crate) fn rows(&self) -> Vec<(u64, Row)> {
        let row = |(name, entry): (&Arc<str>, &Entry)| {
            let (kind, expires) = (Kind::Lock, entry.expires);
            let value = entry.lock.encode_to_vec().into();
            (entry.id, Row { kind, name: Name::unchecked("", name.as_bytes()), expires, value })
        };
        self.read().by_name.iter().map(row).collect()
    }

    /// The caller holds the lock of the tables.
    fn forget(&self, gone: &[Entry]) {
        let ids: Vec<u64> = gone.iter().map(|entry| entry.id).collect();
        if !ids.is_empty() {
            self.budget.free(gone.iter().map(|entry| entry.cost).sum());
            self.journal.record(None, &ids);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn insert(&mut self, name: Arc<str>, entry: Entry) {
        let spec = entry.lock.spec.as_ref();
        let user = spec.and_then(|spec| held(spec.target.as_ref()?));
        if let Some((spec, user)) = spec.zip(user) {
            let hold = Hold { expires: entry.expires, message: spec.message.as_str().into() };
            self.by_user.entry(user.to_owned()).or_default().insert(name.clone(), hold);
        }
        if entry.expires != NEVER {
            self.due.insert((entry.expires, name.clone()));
        }
        self.by_name.insert(name, entry);
    }

    fn remove(&mut self, name: &str) -> Option<Entry> {
        let (name, entry) = self.by_name.remove_entry(name)?;
        let spec = entry.lock.spec.as_ref();
        let user = spec.and_then(|spec| held(spec.target.as_ref()?));
        if let Some((user, holds)) = user.and_then(|user| Some((user, self.by_user.get_mut(user)?)))
        {
            holds.remove(&name);
            if holds.is_empty() {
                self.by_user.remove(user);
            }
        }
        self.due.remove(&(entry.expires, name));
        Some(entry)
    }
}

fn name(lock: &LockV2) -> Arc<str> {
    lock.metadata.as_ref().map_or("", |metadata| &metadata.name).into()
}

fn cost(row: &Row) -> usize {
    LOCK + 2 * row.value.len()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{lock, login, user};
    use super::*;
    use proto::types::{LockTarget, Metadata};

    const NOW: u64 = 1_000_000;

    fn table() -> LockTable {
        LockTable::new(100_000, Arc::new(Journal::off()))
    }

    fn named(name: &str, mut lock: LockV2) -> LockV2 {
        lock.metadata = Some(Metadata { name: name.to_owned(), ..Metadata::default() });
        lock
    }

    fn names(table: &LockTable, now: u64) -> Vec<String> {
        table.list(now).iter().map(|lock| name(lock).to_string()).collect()
    }

    #[test]
    fn a_lock_holds_its_user_until_it_is_over_or_removed() {
        let table = table();
        assert_eq!(table.locked("bob", || panic!("the clock is not needed")), None);
        table.upsert(lock(user("bob"), Some(2000)), NOW).unwrap();
        table.upsert(lock(login("eve"), None), NOW).unwrap();
        assert_eq!(table.locked("bob", || 1_999_999).as_deref(), Some("too many failures"));
        assert_eq!(table.locked("bo", || NOW), None);
        assert_eq!(table.locked("bob", || 2_000_000), None);
        assert_eq!(names(&table, NOW), ["tenon-lock-bob", "tenon-lock-eve"]);
        assert_eq!(names(&table, 2_000_000), ["tenon-lock-eve"]);
        assert!(!table.remove("tenon-lock-bob", 2_000_000));
        assert!(table.remove("tenon-lock-eve", 2_000_000));
        assert!(!table.remove("tenon-lock-eve", 2_000_000));
        assert_eq!(table.locked("eve", || NOW), None);
        assert_eq!(table.budget.used(), 0);
    }

    #[test]
    fn a_second_lock_holds_when_the_first_one_is_over() {
        let table = table();
        table.upsert(named("a", lock(user("bob"), Some(2000))), NOW).unwrap();
        table.upsert(named("b", lock(login("bob"), Some(3000))), NOW).unwrap();
        assert!(table.locked("bob", || 2_500_000).is_some());
        table.clean(2_500_000, usize::MAX);
        assert!(table.locked("bob", || 2_500_000).is_some());
        assert_eq!(table.locked("bob", || 3_000_000), None);
    }

    #[test]
    fn the_same_name_replaces_a_lock_and_frees_the_user_of_the_old_one() {
        let table = table();
        table.upsert(named("a", lock(user("bob"), Some(2000))), NOW).unwrap();
        table.upsert(named("a", lock(user("eve"), Some(3000))), NOW).unwrap();
        assert_eq!(table.locked("bob", || NOW), None);
        assert!(table.locked("eve", || 2_500_000).is_some());
        table.clean(2_500_000, usize::MAX);
        assert_eq!(names(&table, 2_500_000), ["a"]);
    }

    #[test]
    fn a_lock_of_what_the_proxy_cannot_check_is_kept_and_holds_nobody() {
        let table = table();
        let target = LockTarget { role: "admin".into(), ..user("bob") };
        table.upsert(named("a", lock(target, None)), NOW).unwrap();
        assert_eq!(table.locked("bob", || NOW), None);
        assert_eq!(names(&table, NOW), ["a"]);
        assert!(table.remove("a", NOW));
    }

    /// One that never ends may have been removed where it was brought to.
    #[test]
    fn a_lock_that_is_made_again_at_once_is_that_and_later_another() {
        let table = table();
        let made = |now: u64| {
            table.upsert(lock(user("bob"), None), now).unwrap();
            table.list(now)[0].spec.as_ref().unwrap().created_at.unwrap().seconds
        };
        assert_eq!([NOW, NOW + 4_000, NOW + 60_000].map(made), [1_000, 1_000, 1_060]);
    }

    #[test]
    fn a_full_table_refuses_and_what_is_over_makes_room() {
        let table = LockTable::new(1500, Arc::new(Journal::off()));
        table.upsert(named("a", lock(user("a"), Some(2000))), NOW).unwrap();
        table.upsert(named("b", lock(user("b"), None)), NOW).unwrap();
        let third = named("c", lock(user("c"), None));
        assert_eq!(table.upsert(third.clone(), NOW), Err(StoreError::Full(1500)));
        table.upsert(named("b", lock(user("b"), None)), NOW).unwrap(); // in its own place
        table.upsert(third, 2_000_000).unwrap();
    }

    #[test]
    fn rows_bring_locks_back() {
        let (table, again) = (table(), table());
        table.upsert(lock(user("bob"), Some(2000)), NOW).unwrap();
        table.rows().iter().for_each(|(id, row)| again.restore(*id, row).unwrap());
        assert_eq!(again.list(NOW), table.list(NOW));
        assert!(again.locked("bob", || NOW).is_some());
        assert_eq!(again.locked("bob", || 2_000_000), None);
        assert_eq!(again.budget.used(), table.budget.used());
    }
}
