//! Lines of the log that would be too many.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One line in this time is enough.
const PAUSE: Duration = Duration::from_secs(10);

/// Lets one of many lines pass.
#[derive(Default)]
pub(super) struct Seldom(Mutex<Option<(Instant, u64)>>);

impl Seldom {
    /// Whether it is time for a line; with how many there would have been since the last one.
    pub(super) fn turn(&self) -> Option<u64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match &mut *last {
            Some((at, left_out)) if now - *at < PAUSE => {
                *left_out += 1;
                None
            }
            last => last.replace((now, 0)).map_or(Some(0), |(_, left_out)| Some(left_out)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_a_while() {
        let seldom = Seldom::default();
        assert_eq!((seldom.turn(), seldom.turn(), seldom.turn()), (Some(0), None, None));
        seldom.0.lock().unwrap().as_mut().unwrap().0 -= PAUSE;
        assert_eq!((seldom.turn(), seldom.turn()), (Some(2), None));
    }
}
