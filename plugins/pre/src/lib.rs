//! PRE middleware: gives each request an `X-Trace-Id`, in place of any that the client has sent.

use plugin_interface::{
    Error, Exchange, HostServices, Middleware, Registrar, Result, Step, tracing,
};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

plugin_interface::export_plugin!(register);

fn register(registrar: &mut Registrar<'_>, _: HostServices, config: &str) -> Result<()> {
    if !matches!(config.trim(), "" | "{}") {
        return Err(Error::new("this plugin takes no configuration; remove it"));
    }
    registrar.middleware("pre", Tracing { ids: TraceIds::seeded() });
    Ok(())
}

struct Tracing {
    ids: TraceIds,
}

impl Middleware for Tracing {
    fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        tracing::debug!("running PRE plugin");
        exchange.set_header("x-trace-id", hex(self.ids.next()))?;
        Ok(Step::Next)
    }
}

/// `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014)
/// over one atomic counter: no lock, and since each step is a bijection no id comes twice within
/// 2^64 requests, which independent random numbers would not promise.
struct TraceIds(AtomicU64);

impl TraceIds {
    /// Starts where the operating system's randomness says, so that two processes, or one before
    /// and after a restart, walk different parts of the cycle.
    fn seeded() -> Self {
        Self(AtomicU64::new(RandomState::new().hash_one(())))
    }

    fn next(&self) -> u64 {
        // Relaxed: only the counter itself is shared.
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// 16 digits, leading zeros kept: the form of a 64-bit trace id in the B3 headers.
fn hex(id: u64) -> [u8; 16] {
    std::array::from_fn(|digit| b"0123456789abcdef"[(id >> (60 - 4 * digit) & 0xf) as usize])
}

#[cfg(test)]
mod tests {
    use super::{TraceIds, hex};
    use std::collections::HashSet;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn an_id_is_written_as_16_lowercase_digits() {
        assert_eq!(&hex(0), b"0000000000000000");
        assert_eq!(&hex(0x0123_4567_89ab_cdef), b"0123456789abcdef");
        assert_eq!(&hex(u64::MAX), b"ffffffffffffffff");
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // The reference sequence from seed 1234567 starts after its first increment.
        let ids = TraceIds(AtomicU64::new(1_234_567_u64.wrapping_add(0x9e37_79b9_7f4a_7c15)));
        let sequence: [u64; 3] = std::array::from_fn(|_| ids.next());
        assert_eq!(
            sequence,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn threads_that_share_the_state_never_get_the_same_id() {
        let ids = TraceIds::seeded();
        let take = || (0..10_000).map(|_| ids.next()).collect::<Vec<_>>();
        let taken = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(taken.iter().collect::<HashSet<_>>().len(), 40_000);
    }

    #[test]
    fn two_seeds_differ() {
        assert_ne!(TraceIds::seeded().next(), TraceIds::seeded().next());
    }
}
