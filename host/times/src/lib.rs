//! A histogram of times, and how it is read: what calls of plugins take, in the proxy and in the pool of
//! event plugins.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Each power of two nanoseconds is cut into so many buckets: a time is known to an eighth.
const CUTS: u64 = 1 << CUT_BITS;
const CUT_BITS: u32 = 3;
/// Times from 2^37 ns, two minutes, on are one.
const LONGEST: u64 = (1 << 37) - 1;
const BUCKETS: usize = index(LONGEST) + 1;

/// Counts of times, for many threads.
pub struct Times([AtomicU64; BUCKETS]);

impl Default for Times {
    fn default() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Times {
    /// Counts a time; one beyond two minutes is like two minutes.
    pub fn count(&self, nanoseconds: u64) {
        self.0[index(nanoseconds.min(LONGEST))].fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts of times, as they were when they were read.
#[derive(Clone, Debug)]
pub struct Spread([u64; BUCKETS]);

impl Default for Spread {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Spread {
    /// Adds what has been counted until now.
    pub fn add(&mut self, times: &Times) {
        for (sum, count) in self.0.iter_mut().zip(&times.0) {
            *sum += count.load(Ordering::Relaxed);
        }
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(&other.0) {
            *sum += count;
        }
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// How many are below 2^`power` nanoseconds; `power` is 3 or more.
    pub fn below(&self, power: u32) -> u64 {
        self.0[..index(1 << power).min(BUCKETS)].iter().sum()
    }

    /// What so many of a thousand do not exceed, to an eighth; none if there is none.
    pub fn quantile(&self, of_thousand: u64) -> Option<Duration> {
        let rank = (self.total() * of_thousand).div_ceil(1000).max(1);
        let mut seen = 0;
        let at = self.0.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_nanos(upper(at as u64)))
    }
}

/// The bucket of a time.
#[allow(clippy::cast_possible_truncation)] // what is cast is a number of buckets
const fn index(nanoseconds: u64) -> usize {
    if nanoseconds < CUTS {
        return nanoseconds as usize;
    }
    let power = nanoseconds.ilog2();
    let cut = (nanoseconds >> (power - CUT_BITS)) & (CUTS - 1);
    ((power - CUT_BITS + 1) as u64 * CUTS + cut) as usize
}

/// The longest time of a bucket.
fn upper(index: u64) -> u64 {
    match index / CUTS {
        0 => index,
        octave => ((CUTS + index % CUTS + 1) << (octave - 1)) - 1,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails loudly
mod tests {
    use super::*;

    #[test]
    fn a_time_is_known_to_an_eighth() {
        let times = (0..2000).chain((11..37).flat_map(|power| {
            let at = 1_u64 << power;
            [at - 1, at, at + at / 3, at + at / 2]
        }));
        for time in times {
            let upper = upper(index(time) as u64);
            assert!(time <= upper && upper <= time + time / 8, "{time} is in that to {upper}");
            assert_eq!(index(upper), index(time));
            assert_eq!(index(upper + 1).min(BUCKETS - 1), (index(time) + 1).min(BUCKETS - 1));
        }
    }

    #[test]
    fn quantiles() {
        let times = Times::default();
        let read = || {
            let mut spread = Spread::default();
            spread.add(&times);
            spread
        };
        assert_eq!(read().quantile(500), None);
        for time in 0..1000 {
            times.count(time * 1000);
        }
        times.count(u64::MAX);
        let spread = read();
        let near = |of_thousand, microseconds: u64| {
            let found = spread.quantile(of_thousand).unwrap().as_micros();
            let (least, most) = (u128::from(microseconds - 1), u128::from(microseconds * 9 / 8));
            assert!(least <= found && found <= most, "{of_thousand}: {found} µs");
        };
        near(500, 500);
        near(990, 990);
        assert_eq!(spread.quantile(1000), Some(Duration::from_nanos(LONGEST)));
        assert_eq!((spread.below(10), spread.below(34), spread.total()), (2, 1000, 1001));
        assert_eq!(spread.below(60), 1001);
    }
}
