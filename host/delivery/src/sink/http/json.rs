//! Events as they are, one after another.

use super::Form;
use crate::event::Event;
use crate::sink::json::{array, lines};
use std::sync::Arc;

/// A line an event.
pub(super) struct Lines;

/// A JSON array.
pub(super) struct Array;

impl Form for Lines {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn write(&self, events: &[Arc<Event>], body: &mut Vec<u8>) {
        lines(events, body);
    }
}

impl Form for Array {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn write(&self, events: &[Arc<Event>], body: &mut Vec<u8>) {
        array(events, body);
    }
}
