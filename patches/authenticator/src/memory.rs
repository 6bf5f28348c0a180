//! Credentials that have been verified lately.

use crate::basic::Credentials;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

type Key = [u8; 32];

/// Has only what was verified, so no more entries than users, whatever clients try.
pub(crate) struct Memory {
    keep: Duration,
    /// Until when. A hash and not the credentials: passwords are not kept. Since nobody chooses the
    /// bits of a SHA-256, the time of a look-up tells nothing of the others.
    until: RwLock<HashMap<Key, Instant>>,
}

impl Memory {
    pub(crate) fn new(keep: Duration) -> Self {
        Self { keep, until: RwLock::default() }
    }

    pub(crate) fn knows(&self, credentials: &Credentials) -> bool {
        self.knew(credentials, Instant::now())
    }

    pub(crate) fn remember(&self, credentials: &Credentials) {
        self.learn(credentials, Instant::now());
    }

    fn knew(&self, credentials: &Credentials, now: Instant) -> bool {
        let until = self.until.read().unwrap_or_else(PoisonError::into_inner);
        until.get(&key(credentials)).is_some_and(|until| now < *until)
    }

    fn learn(&self, credentials: &Credentials, now: Instant) {
        let mut until = self.until.write().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, until| now < *until);
        until.insert(key(credentials), now + self.keep);
    }
}

/// The colon tells `ab:c` from `a:bc`; a user has none.
fn key(credentials: &Credentials) -> Key {
    let hash = Sha256::new().chain_update(&credentials.user).chain_update(":");
    hash.chain_update(&credentials.password).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Memory};
    use std::time::{Duration, Instant};

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: password.to_owned() }
    }

    #[test]
    fn what_was_verified_is_known_for_a_while() {
        let (memory, now) = (Memory::new(Duration::from_mins(1)), Instant::now());
        let alice = credentials("alice", "secret");
        assert!(!memory.knew(&alice, now));
        memory.learn(&alice, now);
        assert!(memory.knew(&alice, now + Duration::from_secs(59)));
        assert!(!memory.knew(&alice, now + Duration::from_mins(1)));
        assert!(!memory.knew(&credentials("alice", "Secret"), now));
        assert!(!memory.knew(&credentials("alic", "esecret"), now));
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let (memory, now) = (Memory::new(Duration::from_mins(1)), Instant::now());
        memory.learn(&credentials("alice", "secret"), now);
        memory.learn(&credentials("bob", "secret"), now + Duration::from_secs(61));
        assert_eq!(memory.until.read().unwrap().len(), 1);
    }

    #[test]
    fn nothing_is_remembered_for_no_time() {
        let (memory, now) = (Memory::new(Duration::ZERO), Instant::now());
        memory.learn(&credentials("alice", "secret"), now);
        assert!(!memory.knew(&credentials("alice", "secret"), now));
    }
}
