//! Whether the proxy takes requests.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where the proxy is between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It does not listen yet.
    Starting,
    /// It takes requests.
    Serving,
    /// It ends: what is under way is answered, and whoever has a choice should go elsewhere.
    Draining,
}

impl Phase {
    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The phase, where every request looks at it.
#[derive(Debug, Default)]
pub(crate) struct Now(AtomicU8);

impl Now {
    pub(crate) fn get(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            _ => Phase::Draining,
        }
    }

    pub(crate) fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_what_is_read() {
        let now = Now::default();
        assert_eq!(now.get(), Phase::Starting);
        for phase in [Phase::Serving, Phase::Draining] {
            now.set(phase);
            assert_eq!(now.get(), phase);
        }
    }
}
