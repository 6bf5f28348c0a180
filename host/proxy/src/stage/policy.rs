//! What happens when a plugin fails.

use std::time::Duration;

/// What happens when a plugin fails, hangs, or takes its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What becomes of the request in which it panics.
    pub on_panic: OnPanic,
    /// When it is called no more for a while; never if there is none.
    pub breaker: Option<Breaker>,
    /// How long a deferred step may take; without limit if there is none. Then its future is
    /// dropped, and the request fails with 504, or goes on as after a panic. A hook that blocks
    /// cannot be cut off.
    pub deadline: Option<Duration>,
    /// A step that takes longer, waiting included, is logged as slow, one that waits while it does;
    /// none if there is none.
    pub slow: Option<Duration>,
}

/// What becomes of a request to which a plugin gives no answer: it panics, it is cut off at its
/// deadline, or its breaker keeps it from being called. An error is an answer: it fails the request
/// always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPanic {
    /// It fails: nothing passes that the plugin might have stopped.
    #[default]
    Fail,
    /// It goes on as if the plugin were not there, on the way back too. What the plugin had changed
    /// when it panicked stays changed. If it had taken a body and not put one back, the request
    /// fails nevertheless. Not for authenticators: that would open the door.
    Bypass,
}

/// When a plugin is called no more for a while. What counts is panics, errors and steps that were
/// cut off; a plugin that hangs without a deadline never fails.
///
/// While it is open, requests fail with 503 at once or go on, see [`OnPanic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// So many panics and failures …
    pub failures: u32,
    /// … within this time open the breaker.
    pub window: Duration,
    /// After that time one request tries the plugin again, with both hooks. If all goes well the
    /// breaker closes; if not, it rests twice as long as before, up to a minute.
    pub rest: Duration,
}
