//! What is given along with an event.

use std::fmt;
use std::sync::Arc;

/// What a [`Done`] tells, whatever a position is.
pub(super) trait Stream: Send + Sync {
    fn done(&self, number: u64);
    fn dropped(&self);
}

/// Says that an event has been brought everywhere, or is to go nowhere.
///
/// If it is dropped instead, the cursor stays before the event: it is read again when the program
/// starts the next time. Its place among the events that may be out is not given back.
pub struct Done {
    pub(super) of: Option<(Arc<dyn Stream>, u64)>,
}

impl Done {
    /// The cursor may move over this event.
    pub fn done(mut self) {
        if let Some((stream, number)) = self.of.take() {
            stream.done(number);
        }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some((stream, _)) = self.of.take() {
            stream.dropped();
        }
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Done").field(&self.of.as_ref().map(|(_, number)| number)).finish()
    }
}
