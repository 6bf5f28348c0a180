//! How long to wait before something is tried again.

use std::time::Duration;

/// Twice as long each time, up to a limit; in each wait a part is random, so that those who failed
/// together do not come back together.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new((first, most): (Duration, Duration)) -> Self {
        Self { first, most, failures: 0 }
    }

    /// Failed once more: wait so long, at least half of the whole time.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.first.saturating_mul(1 << self.failures.min(20)).min(self.most);
        self.failures = self.failures.saturating_add(1);
        whole.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// There was progress.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How often it has failed without progress.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_bounded_and_begin_anew() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new((seconds(1), seconds(90)));
        for whole in [1, 2, 4, 8, 16, 32, 64, 90, 90, 90] {
            let wait = backoff.next();
            assert!(wait >= seconds(whole) / 2 && wait <= seconds(whole), "{wait:?} of {whole} s");
        }
        for _ in 0..100 {
            assert!(backoff.next() <= seconds(90));
        }
        backoff.reset();
        assert!(backoff.next() <= seconds(1));
    }

    #[test]
    fn two_who_failed_together_come_back_apart() {
        let waits = |seed| {
            fastrand::seed(seed);
            let mut backoff = Backoff::new((Duration::from_secs(1), Duration::from_secs(90)));
            [(); 4].map(|()| backoff.next())
        };
        assert_ne!(waits(1), waits(2));
    }
}
