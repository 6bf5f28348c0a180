//! From request bytes to response bytes: what the exports do, in the plugin and in native tests.

use crate::wire::{self, Fields};
use crate::{Error, Event, Outcome, Result};
use std::fmt::Display;

/// One `plugin.HandleEventRequest` to one `plugin.HandleEventResponse`.
pub(crate) fn handle_event<E: Display>(
    request: &[u8],
    handler: impl Fn(&mut Event<'_>) -> Result<Outcome, E>,
) -> Vec<u8> {
    let answer = Answer::of(request, handler);
    let mut response = Vec::with_capacity(answer.encoded_len());
    answer.encode(&mut response);
    response
}

/// The same for any number of requests, each with its length before it. An event that fails has a
/// response that says so; the others go on.
///
/// # Errors
///
/// The lengths do not fit the bytes, so that nobody can tell where the next request begins.
pub(crate) fn handle_events<E: Display>(
    mut requests: &[u8],
    handler: impl Fn(&mut Event<'_>) -> Result<Outcome, E>,
) -> Result<Vec<u8>> {
    // A response is two bytes longer than its request as long as the event stays as it was.
    let mut responses = Vec::with_capacity(requests.len() + requests.len() / 8);
    while !requests.is_empty() {
        let request = wire::delimited(&mut requests)?;
        let answer = Answer::of(request, &handler);
        wire::put_varint(answer.encoded_len(), &mut responses);
        answer.encode(&mut responses);
    }
    Ok(responses)
}

/// A `plugin.HandleEventResponse` whose event is not copied before it is written.
enum Answer<'a> {
    /// The event and how long it is when encoded, which is counted once.
    Forward(Event<'a>, usize),
    Skip,
    Fail(String),
}

// The fields of `plugin.HandleEventResponse`; that of the request is `EVENT_IN`.
const SUCCESS: [u8; 2] = [1 << 3, 1];
const ERROR: u32 = 2;
const EVENT: u32 = 3;
pub(crate) const EVENT_IN: u32 = 1;

impl<'a> Answer<'a> {
    fn of<E: Display>(
        request: &'a [u8],
        handler: impl Fn(&mut Event<'_>) -> Result<Outcome, E>,
    ) -> Self {
        let mut event = match event_of(request) {
            Ok(event) => event,
            Err(error) => return Self::Fail(error.to_string()),
        };
        match handler(&mut event) {
            Ok(Outcome::Keep) => {
                let length = event.encoded_len();
                Self::Forward(event, length)
            }
            Ok(Outcome::Skip) => Self::Skip,
            // The alternate form has the causes too, where a type has one (`anyhow`).
            Err(error) => Self::Fail(format!("{error:#}")),
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Forward(_, length) => SUCCESS.len() + wire::field_len(EVENT, *length),
            Self::Skip => SUCCESS.len(),
            Self::Fail(error) => wire::field_len(ERROR, error.len()),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Forward(event, length) => {
                out.extend_from_slice(&SUCCESS);
                wire::put_key(EVENT, out);
                wire::put_varint(*length, out);
                event.encode(out);
            }
            Self::Skip => out.extend_from_slice(&SUCCESS),
            Self::Fail(error) => {
                wire::put_key(ERROR, out);
                wire::put_varint(error.len(), out);
                out.extend_from_slice(error.as_bytes());
            }
        }
    }
}

fn event_of(request: &[u8]) -> Result<Event<'_>> {
    let event = Fields(request).find(EVENT_IN)?;
    event.map(Event::new).ok_or_else(|| Error::new("the request holds no event"))
}
