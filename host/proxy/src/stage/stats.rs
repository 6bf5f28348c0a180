//! What a plugin has done in its place, counted while requests pass.

use host_times::{Spread, Times};
use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

/// What a plugin said to a request, or what was made of its saying nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It lets the request, or the response, pass.
    Next,
    /// It answers itself.
    Respond,
    /// It failed, and with it the request.
    Fail,
    /// It panicked or took too long, and the request went on without it.
    Bypass,
}

/// Counters of one plugin in one place, written by all threads.
///
/// What every call counts has a copy for each thread, as far as there are processors: two threads
/// that write to one place of the memory wait for each other.
pub struct Stats {
    shards: Box<[Shard]>,
    responded: AtomicU64,
    failed: AtomicU64,
    bypassed: AtomicU64,
    errors: AtomicU64,
    panics: AtomicU64,
    overdue: AtomicU64,
    slow: AtomicU64,
    not_called: AtomicU64,
    deferred: AtomicU64,
    waited: AtomicU64,
    opened: AtomicU64,
}

#[derive(Default)]
#[repr(align(128))] // two lines of the cache: processors fetch them in pairs
struct Shard {
    next: AtomicU64,
    nanoseconds: AtomicU64,
    times: Times,
}

/// More copies than that cost memory and gain nothing.
const MOST_SHARDS: usize = 8;

static SHARDS: LazyLock<usize> =
    LazyLock::new(|| available_parallelism().map_or(1, usize::from).clamp(1, MOST_SHARDS));

thread_local! {
    /// Which copy is this thread's; none yet if it is beyond all.
    static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl Default for Stats {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            shards: (0..*SHARDS).map(|_| Shard::default()).collect(),
            responded: zero(),
            failed: zero(),
            bypassed: zero(),
            errors: zero(),
            panics: zero(),
            overdue: zero(),
            slow: zero(),
            not_called: zero(),
            deferred: zero(),
            waited: zero(),
            opened: zero(),
        }
    }
}

impl Stats {
    /// A call has ended: what it decided, and its own time.
    pub(super) fn count(&self, decision: Decision, nanoseconds: u64) {
        let shard = self.shard();
        shard.times.count(nanoseconds);
        shard.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        add(match decision {
            Decision::Next => &shard.next,
            Decision::Respond => &self.responded,
            Decision::Fail => &self.failed,
            Decision::Bypass => &self.bypassed,
        });
    }

    pub(super) fn count_error(&self) {
        add(&self.errors);
    }

    pub(super) fn count_panic(&self) {
        add(&self.panics);
    }

    pub(super) fn count_overdue(&self) {
        add(&self.overdue);
    }

    pub(super) fn count_slow(&self) {
        add(&self.slow);
    }

    pub(super) fn count_not_called(&self) {
        add(&self.not_called);
    }

    pub(super) fn count_wait(&self, waited: Duration) {
        add(&self.deferred);
        let waited = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.waited.fetch_add(waited, Ordering::Relaxed);
    }

    pub(super) fn count_opened(&self) {
        add(&self.opened);
    }

    /// Everything so far. Each number by itself is right; that one call is counted in all or none
    /// of them is not promised while it ends.
    pub fn read(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut counts = Counts {
            responded: of(&self.responded),
            failed: of(&self.failed),
            bypassed: of(&self.bypassed),
            errors: of(&self.errors),
            panics: of(&self.panics),
            overdue: of(&self.overdue),
            slow: of(&self.slow),
            not_called: of(&self.not_called),
            deferred: of(&self.deferred),
            waited: Duration::from_nanos(of(&self.waited)),
            opened: of(&self.opened),
            ..Counts::default()
        };
        for shard in &self.shards {
            counts.next += of(&shard.next);
            counts.own += Duration::from_nanos(of(&shard.nanoseconds));
            counts.times.add(&shard.times);
        }
        counts
    }

    fn shard(&self) -> &Shard {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mut at = SHARD.get();
        if at >= self.shards.len() {
            at = NEXT.fetch_add(1, Ordering::Relaxed) % self.shards.len();
            SHARD.set(at);
        }
        &self.shards[at]
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// [`Stats`] as they were when they were read.
///
/// A call is one step of a plugin: a hook, with what it deferred. **Its own time** is the time that
/// its code ran: that of the hook, and that of each poll of what it deferred. What it waits for in
/// between is not its work, and is in [`Self::waited`].
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Calls that let the request, or the response, pass.
    pub next: u64,
    /// Calls that answered.
    pub responded: u64,
    /// Calls that failed, and with them the request.
    pub failed: u64,
    /// Calls that panicked or took too long, and the request went on.
    pub bypassed: u64,
    /// Calls that failed in another way than by a panic, [`Self::overdue`] included.
    pub errors: u64,
    /// Calls that panicked.
    pub panics: u64,
    /// Calls that were cut off at the deadline.
    pub overdue: u64,
    /// Calls that took longer, waiting included, than the policy has for slow; also those that were
    /// cut off.
    pub slow: u64,
    /// Times that a request went on, or failed, without a call, while the plugin was disabled.
    pub not_called: u64,
    /// Calls that were deferred and had to wait.
    pub deferred: u64,
    /// What those have waited, in all.
    pub waited: Duration,
    /// How often the breaker has opened, an attempt that failed included.
    pub opened: u64,
    /// The time of its own code, in all.
    pub own: Duration,
    pub(super) times: Spread,
}

impl Counts {
    /// How often it was called; both hooks count.
    pub fn calls(&self) -> u64 {
        self.next + self.responded + self.failed + self.bypassed
    }

    /// The median of its own time a call, rounded up to an eighth; none before the first call.
    pub fn p50(&self) -> Option<Duration> {
        self.times.quantile(500)
    }

    /// What 99 of 100 calls do not exceed, of its own time; rounded up to an eighth.
    pub fn p99(&self) -> Option<Duration> {
        self.times.quantile(990)
    }

    /// Adds those of another life of the same plugin.
    pub(super) fn merge(&mut self, other: &Self) {
        for (sum, count) in [
            (&mut self.next, other.next),
            (&mut self.responded, other.responded),
            (&mut self.failed, other.failed),
            (&mut self.bypassed, other.bypassed),
            (&mut self.errors, other.errors),
            (&mut self.panics, other.panics),
            (&mut self.overdue, other.overdue),
            (&mut self.slow, other.slow),
            (&mut self.not_called, other.not_called),
            (&mut self.deferred, other.deferred),
            (&mut self.opened, other.opened),
        ] {
            *sum += count;
        }
        self.waited += other.waited;
        self.own += other.own;
        self.times.merge(&other.times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_count_together() {
        let stats = Stats::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for nanoseconds in 0..1000 {
                        stats.count(Decision::Next, nanoseconds);
                    }
                    stats.count(Decision::Bypass, 0);
                    stats.count_panic();
                });
            }
        });
        let mut counts = stats.read();
        assert_eq!((counts.next, counts.bypassed, counts.panics), (4000, 4, 4));
        assert_eq!((counts.calls(), counts.times.total()), (4004, 4004));
        assert_eq!(counts.own, Duration::from_nanos(4 * 499_500));
        let p50 = counts.p50().unwrap().as_nanos();
        assert!((490..570).contains(&p50), "{p50}");
        counts.merge(&stats.read());
        assert_eq!((counts.calls(), counts.times.total()), (8008, 8008));
    }
}
