//! Events as they are, one after another.

use crate::event::Event;
use host_lines::line;
use std::sync::Arc;

/// Appends a line an event.
pub(super) fn lines(events: &[Arc<Event>], body: &mut Vec<u8>) {
    body.reserve(length(events));
    for event in events {
        line(event.json(), body);
    }
}

/// Appends a JSON array.
pub(super) fn array(events: &[Arc<Event>], body: &mut Vec<u8>) {
    body.reserve(length(events) + 2);
    body.push(b'[');
    for (number, event) in events.iter().enumerate() {
        body.extend_from_slice(if number == 0 { b"" } else { b"," });
        body.extend_from_slice(event.json());
    }
    body.push(b']');
}

/// With a byte after each.
fn length(events: &[Arc<Event>]) -> usize {
    events.iter().map(|event| event.json().len() + 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;

    #[test]
    fn lines_and_arrays() {
        let (a, b) = (event("a", "1", "{\n\"a\":1}"), event("b", "2", "{}"));
        for (events, as_lines, as_array) in [
            (vec![a.clone(), b], "{ \"a\":1}\n{}\n", "[{\n\"a\":1},{}]"),
            (vec![a], "{ \"a\":1}\n", "[{\n\"a\":1}]"),
            (vec![], "", "[]"),
        ] {
            let (mut lined, mut arrayed) = (Vec::new(), Vec::new());
            lines(&events, &mut lined);
            array(&events, &mut arrayed);
            assert_eq!(String::from_utf8(lined).unwrap(), as_lines);
            assert_eq!(String::from_utf8(arrayed).unwrap(), as_array);
        }
    }
}
