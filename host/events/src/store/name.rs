//! The full name of a key or scope.

use super::{MAX_KEY, StoreError};
use std::sync::Arc;

/// A plugin's space and a key or scope in it, in one allocation that the memory, the journal and the
/// order of expiry share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    bytes: Arc<[u8]>,
    /// Where the key begins: without it `ab`, `c` and `a`, `bc` were the same.
    key: usize,
}

impl Name {
    /// Refuses a key that is too long. Spaces are the host's own and short.
    pub(crate) fn new(space: &str, key: &[u8]) -> Result<Self, StoreError> {
        if key.len() > MAX_KEY {
            return Err(StoreError::KeyTooLong(key.len()));
        }
        Ok(Self::unchecked(space, key))
    }

    /// A name that was checked when it was first made.
    pub(crate) fn unchecked(space: &str, key: &[u8]) -> Self {
        Self { bytes: space.bytes().chain(key.iter().copied()).collect(), key: space.len() }
    }

    pub(crate) fn space(&self) -> &str {
        // It was a `str` in `unchecked`: it still is one.
        std::str::from_utf8(&self.bytes[..self.key]).unwrap_or_default()
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.bytes[self.key..]
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_does_not_run_into_its_keys() {
        let name = Name::new("ab", b"c").unwrap();
        assert_eq!((name.space(), name.key(), name.len()), ("ab", &b"c"[..], 3));
        assert_ne!(name, Name::new("a", b"bc").unwrap());
    }

    #[test]
    fn a_long_key_is_refused() {
        assert!(Name::new("", &[b'x'; MAX_KEY]).is_ok());
        assert_eq!(Name::new("", &[b'x'; MAX_KEY + 1]), Err(StoreError::KeyTooLong(MAX_KEY + 1)));
    }
}
