//! How long to wait before something is tried again.

use std::time::Duration;

/// Exponential back-off with jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The shortest pause.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl Default for Retry {
    /// From one second to ten, as Teleport's event handler.
    fn default() -> Self {
        Self { least: Duration::from_secs(1), most: Duration::from_secs(10) }
    }
}

impl Retry {
    /// The pause after the `failures`th failure in a row: twice as long each time, between half of it
    /// and the whole by chance, so that many clients of one server come back one after another.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let doubled = self.least.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
        doubled.min(self.most).mul_f64(fastrand::f64().mul_add(0.5, 0.5)).max(self.least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_differ() {
        let retry = Retry::default();
        for (failures, least, most) in [(1, 1, 2), (2, 2, 4), (3, 4, 8), (4, 5, 10), (90, 5, 10)] {
            let pauses: Vec<_> = (0..100).map(|_| retry.pause(failures)).collect();
            let range = Duration::from_secs(least)..=Duration::from_secs(most);
            assert!(pauses.iter().all(|pause| range.contains(pause)), "{failures}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "no jitter: {pauses:?}");
        }
    }
}
