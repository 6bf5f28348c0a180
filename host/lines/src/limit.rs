//! A line a second, however often something goes wrong.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Holds back lines that would fill the log.
#[derive(Debug, Default)]
pub struct LogLimit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    held_back: u64,
}

impl LogLimit {
    const EVERY: Duration = Duration::from_secs(1);

    /// Whether a line may be written now; with how many were held back since the last one.
    pub fn allow(&self) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.duration_since(last) < Self::EVERY) {
            state.held_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.held_back))
    }
}
