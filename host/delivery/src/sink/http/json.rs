//! Events as they are, one after another.

use super::Form;
use crate::event::Event;
use crate::sink::line;
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
        for event in events {
            line(event.json(), body);
        }
    }
}

impl Form for Array {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn write(&self, events: &[Arc<Event>], body: &mut Vec<u8>) {
        for event in events {
            body.push(if body.is_empty() { b'[' } else { b',' });
            body.extend_from_slice(event.json());
        }
        body.push(b']');
    }
}
