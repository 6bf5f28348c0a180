//! Small values and tokens that outlive a request.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A store that plugins share. The calls are short: an implementation on disk answers from memory
/// and writes behind.
pub trait Store: Send + Sync {
    /// The value of a key, unless there is none or it has expired.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Sets a key; with a time to live it expires by itself.
    fn set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), StoreError>;
    /// Removes a key; says whether it was there.
    fn delete(&self, key: &str) -> Result<bool, StoreError>;
    /// Adds a token to a scope and says how many of it are alive, the new one included.
    fn take_token(&self, scope: &str, ttl: Duration) -> Result<u64, StoreError>;
    /// Drops a scope's tokens; says how many were alive.
    fn release_tokens(&self, scope: &str) -> Result<u64, StoreError>;
}

/// Why a store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It has no room. Nothing is ever thrown out to make some: a count that forgets is wrong.
    #[error("the store is full ({0} bytes); let entries expire, or delete some")]
    Full(usize),
}

/// A store in memory: what is in it ends with the process.
#[derive(Debug)]
pub struct MemoryStore {
    limit: usize,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    values: HashMap<String, Value>,
    scopes: HashMap<String, BinaryHeap<Reverse<Instant>>>,
    bytes: usize,
}

#[derive(Debug)]
struct Value {
    bytes: Vec<u8>,
    expires: Option<Instant>,
}

/// What a token takes.
const TOKEN: usize = size_of::<Instant>();
/// What an entry takes beside its key and value: roughly, so that empty ones count too.
const ENTRY: usize = 64;

impl MemoryStore {
    /// A store of at most so many bytes, keys and bookkeeping included.
    pub fn new(limit: usize) -> Self {
        Self { limit, entries: Mutex::default() }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = Entries::default();
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that there is room for `bytes`, by dropping what has expired if need be.
    fn reserve(&self, entries: &mut Entries, bytes: usize, now: Instant) -> Result<(), StoreError> {
        if entries.bytes + bytes > self.limit {
            entries.sweep(now);
        }
        if entries.bytes + bytes > self.limit { Err(StoreError::Full(self.limit)) } else { Ok(()) }
    }
}

impl Entries {
    fn sweep(&mut self, now: Instant) {
        self.values.retain(|_, value| value.expires.is_none_or(|expires| expires > now));
        self.scopes.retain(|_, tokens| {
            expire(tokens, now);
            !tokens.is_empty()
        });
        let values = self.values.iter().map(|(key, value)| ENTRY + key.len() + value.bytes.len());
        let scopes = self.scopes.iter().map(|(key, it)| ENTRY + key.len() + it.len() * TOKEN);
        self.bytes = values.chain(scopes).sum();
    }

    fn remove(&mut self, key: &str) -> Option<Value> {
        let value = self.values.remove(key)?;
        self.bytes -= ENTRY + key.len() + value.bytes.len();
        Some(value)
    }
}

/// Drops the tokens that are over; says how many.
fn expire(tokens: &mut BinaryHeap<Reverse<Instant>>, now: Instant) -> usize {
    let before = tokens.len();
    while tokens.peek().is_some_and(|Reverse(expires)| *expires <= now) {
        tokens.pop();
    }
    before - tokens.len()
}

/// No time to live is so long that an [`Instant`] cannot hold its end.
fn after(now: Instant, ttl: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    now + ttl.min(CENTURY)
}

impl Store for MemoryStore {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let now = Instant::now();
        let entries = self.lock();
        let value = entries.values.get(key);
        let alive = value.filter(|value| value.expires.is_none_or(|expires| expires > now));
        Ok(alive.map(|value| value.bytes.clone()))
    }

    fn set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), StoreError> {
        let now = Instant::now();
        let mut entries = self.lock();
        let size = ENTRY + key.len() + value.len();
        let old = entries.values.get(key).map_or(0, |old| ENTRY + key.len() + old.bytes.len());
        self.reserve(&mut entries, size.saturating_sub(old), now)?;
        entries.remove(key);
        entries.bytes += size;
        let expires = ttl.map(|ttl| after(now, ttl));
        entries.values.insert(key.to_owned(), Value { bytes: value.to_owned(), expires });
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<bool, StoreError> {
        let now = Instant::now();
        let removed = self.lock().remove(key);
        Ok(removed.is_some_and(|value| value.expires.is_none_or(|expires| expires > now)))
    }

    fn take_token(&self, scope: &str, ttl: Duration) -> Result<u64, StoreError> {
        let now = Instant::now();
        let mut entries = self.lock();
        self.reserve(&mut entries, ENTRY + scope.len() + TOKEN, now)?;
        let entries = &mut *entries;
        if !entries.scopes.contains_key(scope) {
            entries.bytes += ENTRY + scope.len();
            entries.scopes.insert(scope.to_owned(), BinaryHeap::new());
        }
        let Some(tokens) = entries.scopes.get_mut(scope) else { return Ok(0) };
        entries.bytes -= expire(tokens, now) * TOKEN;
        tokens.push(Reverse(after(now, ttl)));
        entries.bytes += TOKEN;
        Ok(tokens.len() as u64)
    }

    fn release_tokens(&self, scope: &str) -> Result<u64, StoreError> {
        let now = Instant::now();
        let mut entries = self.lock();
        let Some(mut tokens) = entries.scopes.remove(scope) else { return Ok(0) };
        entries.bytes -= ENTRY + scope.len() + tokens.len() * TOKEN;
        expire(&mut tokens, now);
        Ok(tokens.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn values_are_set_replaced_expired_and_deleted() {
        let store = MemoryStore::new(10_000);
        assert_eq!(store.get("a"), Ok(None));
        store.set("a", b"1", None).unwrap();
        store.set("a", b"22", Some(HOUR)).unwrap();
        assert_eq!(store.get("a"), Ok(Some(b"22".to_vec())));
        assert_eq!(store.delete("a"), Ok(true));
        assert_eq!(store.delete("a"), Ok(false));
        store.set("b", b"1", Some(Duration::ZERO)).unwrap();
        assert_eq!(store.get("b"), Ok(None));
        store.lock().sweep(Instant::now());
        assert_eq!(store.lock().bytes, 0);
    }

    #[test]
    fn each_token_expires_by_itself_and_scopes_are_exact() {
        let store = MemoryStore::new(10_000);
        assert_eq!(store.take_token("a", HOUR), Ok(1));
        assert_eq!(store.take_token("a", Duration::ZERO), Ok(2));
        assert_eq!(store.take_token("a", HOUR), Ok(2)); // the one in the middle is over
        assert_eq!(store.take_token("ab", HOUR), Ok(1));
        assert_eq!(store.release_tokens("a"), Ok(2));
        assert_eq!(store.release_tokens("a"), Ok(0));
        assert_eq!(store.release_tokens("ab"), Ok(1));
        assert_eq!(store.lock().bytes, 0);
    }

    #[test]
    fn a_full_store_refuses_and_forgets_nothing() {
        let store = MemoryStore::new(400);
        store.set("old", &[0; 100], Some(Duration::ZERO)).unwrap();
        store.set("a", &[0; 200], None).unwrap(); // in the place of what has expired
        assert_eq!(store.set("b", &[0; 200], None), Err(StoreError::Full(400)));
        assert_eq!(store.get("a").unwrap().unwrap().len(), 200);
        store.set("a", &[0; 210], None).unwrap(); // counts the difference only
    }

    #[test]
    fn counts_are_exact_from_many_threads() {
        let store = MemoryStore::new(10_000_000);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1000).for_each(|_| drop(store.take_token("a", HOUR))));
            }
        });
        assert_eq!(store.release_tokens("a"), Ok(8000));
    }
}
