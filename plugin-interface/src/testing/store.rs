//! Values and tokens, by the test's clock.

use std::collections::HashMap;
use std::time::Duration;

/// The host's store. `now` is always the time of the clock.
#[derive(Default)]
pub(super) struct Store {
    values: HashMap<String, (Vec<u8>, Option<Duration>)>,
    /// When each token expires.
    scopes: HashMap<String, Vec<Duration>>,
}

impl Store {
    pub(super) fn get(&self, key: &str, now: Duration) -> Option<Vec<u8>> {
        let (value, expires) = self.values.get(key)?;
        expires.is_none_or(|expires| expires > now).then(|| value.clone())
    }

    /// Without a time to live (0) it does not expire.
    pub(super) fn set(&mut self, key: &str, value: &[u8], ttl: Duration, now: Duration) {
        let expires = (!ttl.is_zero()).then(|| now.saturating_add(ttl));
        self.values.insert(key.to_owned(), (value.to_owned(), expires));
    }

    pub(super) fn delete(&mut self, key: &str, now: Duration) -> bool {
        let removed = self.values.remove(key);
        removed.is_some_and(|(_, expires)| expires.is_none_or(|expires| expires > now))
    }

    pub(super) fn take_token(&mut self, scope: &str, ttl: Duration, now: Duration) -> u64 {
        let tokens = self.scopes.entry(scope.to_owned()).or_default();
        tokens.retain(|expires| *expires > now);
        tokens.push(now.saturating_add(ttl));
        tokens.len() as u64
    }

    pub(super) fn release_tokens(&mut self, scope: &str, now: Duration) -> u64 {
        let tokens = self.scopes.remove(scope).unwrap_or_default();
        tokens.iter().filter(|expires| **expires > now).count() as u64
    }
}
