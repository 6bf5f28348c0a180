//! The time by which things expire.

use std::time::{Duration, Instant, SystemTime};

/// Where the time comes from, in milliseconds.
pub(crate) trait Time: Send + Sync {
    /// Since 1970. It may jump, forward and back.
    fn wall(&self) -> u64;
    /// Since some moment; it never goes back.
    fn monotonic(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug)]
pub(crate) struct SystemTimes(Instant);

impl SystemTimes {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Time for SystemTimes {
    fn wall(&self) -> u64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis)
    }

    fn monotonic(&self) -> u64 {
        millis(self.0.elapsed())
    }
}

/// A time to live in milliseconds; what does not fit is for ever.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What the store's clock showed when the machine's showed something else: kept on disk, so that the
/// store's clock goes on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) store: u64,
    pub(crate) wall: u64,
}

/// The store's own clock, in milliseconds. It begins at the wall clock's time and never goes back: the
/// wall clock counts only for the time between two runs. So a wall clock that is set neither ends
/// tokens early nor keeps them.
pub(crate) struct Clock {
    time: Box<dyn Time>,
    /// What this one shows beyond the monotonic time.
    ahead: u64,
}

impl Clock {
    /// Goes on from the last stamp of the file. A wall clock that is behind that stamp says nothing
    /// about the time between the runs: none is counted.
    pub(crate) fn resume(time: Box<dyn Time>, last: Option<Stamp>) -> Self {
        let wall = time.wall();
        let now = match last {
            None => wall,
            Some(last) => last.store.saturating_add(wall.saturating_sub(last.wall)),
        };
        let ahead = now.saturating_sub(time.monotonic());
        Self { time, ahead }
    }

    /// What values and tokens expire by.
    pub(crate) fn now(&self) -> u64 {
        self.ahead.saturating_add(self.time.monotonic())
    }

    /// What locks expire by: their expiry is a date.
    pub(crate) fn wall(&self) -> u64 {
        self.time.wall()
    }

    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { store: self.now(), wall: self.wall() }
    }
}

#[cfg(test)]
pub(crate) mod fake {
    use super::Time;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    /// Clocks that a test moves.
    #[derive(Clone, Debug)]
    pub(crate) struct FakeTime {
        wall: Arc<AtomicU64>,
        monotonic: Arc<AtomicU64>,
    }

    impl FakeTime {
        pub(crate) fn at(wall: u64) -> Self {
            Self { wall: Arc::new(wall.into()), monotonic: Arc::new(7.into()) }
        }

        /// Time passes.
        pub(crate) fn pass(&self, millis: u64) {
            self.wall.fetch_add(millis, SeqCst);
            self.monotonic.fetch_add(millis, SeqCst);
        }

        /// Somebody sets the wall clock.
        pub(crate) fn set_wall(&self, wall: u64) {
            self.wall.store(wall, SeqCst);
        }
    }

    impl Time for FakeTime {
        fn wall(&self) -> u64 {
            self.wall.load(SeqCst)
        }

        fn monotonic(&self) -> u64 {
            self.monotonic.load(SeqCst)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fake::FakeTime;
    use super::*;

    #[test]
    fn a_wall_clock_that_is_set_while_running_changes_nothing() {
        let time = FakeTime::at(1_000_000);
        let clock = Clock::resume(Box::new(time.clone()), None);
        time.pass(5);
        time.set_wall(3);
        assert_eq!(clock.now(), 1_000_005);
        time.set_wall(u64::MAX);
        assert_eq!(clock.now(), 1_000_005);
    }

    #[test]
    fn the_time_between_two_runs_counts_unless_the_wall_clock_went_back() {
        let time = FakeTime::at(1_000_000);
        let last = Clock::resume(Box::new(time.clone()), None).stamp();
        time.pass(60_000);
        assert_eq!(Clock::resume(Box::new(time.clone()), Some(last)).now(), 1_060_000);
        time.set_wall(0);
        assert_eq!(Clock::resume(Box::new(time.clone()), Some(last)).now(), 1_000_000);
    }
}
