//! What happens when a plugin fails.

use std::time::Duration;

/// What happens when a plugin fails, hangs, or takes its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What becomes of the request in which it panics.
    pub on_panic: OnPanic,
    /// When it is called no more for a while; never if there is none.
    pub breaker: Option<Breaker>,
    /// How long a deferred step may take; without limit if there is none.
    pub deadline: Option<Duration>,
    /// A step that takes longer is logged as slow; none if there is none.
    pub slow: Option<Duration>,
}

/// What becomes of a request in which a plugin panics, and of those that come while its breaker
/// keeps it from being called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPanic {
    /// It fails: nothing passes that the plugin might have stopped.
    #[default]
    Fail,
    /// It goes on as if the plugin were not there.
    Bypass,
}

/// When a plugin is called no more for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// So many panics and failures …
    pub failures: u32,
    /// … within this time open the breaker.
    pub window: Duration,
    /// After that time one request tries the plugin again.
    pub rest: Duration,
}
