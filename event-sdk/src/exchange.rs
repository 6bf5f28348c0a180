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

#[cfg(test)]
mod tests {
    use super::{handle_event, handle_events};
    use crate::{Error, Event, Outcome, Result};
    use prost::Message;
    use proto::events::{OneOf, UserCreate, UserLogin};
    use proto::plugin::{HandleEventRequest, HandleEventResponse};

    fn login(method: &str) -> OneOf {
        UserLogin { method: method.into(), ..UserLogin::default() }.into()
    }

    fn request(event: OneOf) -> Vec<u8> {
        HandleEventRequest { event: Some(event) }.encode_to_vec()
    }

    fn forwarded(event: OneOf) -> Vec<u8> {
        let event = Some(event);
        HandleEventResponse { success: true, event, ..HandleEventResponse::default() }
            .encode_to_vec()
    }

    fn failed(error: &str) -> Vec<u8> {
        let error = error.to_owned();
        HandleEventResponse { error, ..HandleEventResponse::default() }.encode_to_vec()
    }

    /// Skips what has the method `skip`, fails at `fail`, changes `change`.
    fn handle(event: &mut Event<'_>) -> Result<Outcome> {
        let Some(login) = event.get::<UserLogin>()? else { return Ok(Outcome::Keep) };
        match &*login.method {
            "skip" => Ok(Outcome::Skip),
            "fail" => Err(Error::new("no").context("asked to")),
            "change" => {
                if let Some(login) = event.get_mut::<UserLogin>()? {
                    login.method = "changed".into();
                }
                Ok(Outcome::Keep)
            }
            _ => Ok(Outcome::Keep),
        }
    }

    #[test]
    fn each_outcome_is_the_response_that_prost_would_write() {
        let long = "x".repeat(20_000); // lengths of three bytes
        for method in ["local", &long] {
            assert_eq!(handle_event(&request(login(method)), handle), forwarded(login(method)));
        }
        assert_eq!(handle_event(&request(login("change")), handle), forwarded(login("changed")));
        assert_eq!(handle_event(&request(login("fail")), handle), failed("asked to: no"));
        let skipped = HandleEventResponse { success: true, ..HandleEventResponse::default() };
        assert_eq!(handle_event(&request(login("skip")), handle), skipped.encode_to_vec());
    }

    #[test]
    fn an_event_that_is_only_read_goes_back_byte_for_byte() {
        // A login with the field 5000, which this crate does not know, and a method.
        let event = b"\x0a\x0a\xc2\xb8\x02\x01?\x22\x03sso";
        let request = [b"\x0a\x0c", &event[..]].concat();
        let read = |event: &mut Event<'_>| {
            assert_eq!(event.get::<UserLogin>()?.unwrap().method, "sso");
            Ok::<_, Error>(Outcome::Keep)
        };
        assert_eq!(handle_event(&request, read), [b"\x08\x01\x1a\x0c", &event[..]].concat());
    }

    #[test]
    fn what_is_no_request_is_a_failed_response() {
        assert_eq!(handle_event(b"", handle), failed("the request holds no event"));
        let error = "the bytes are no protobuf message, or not all of one";
        assert_eq!(handle_event(b"\x0a\x05abc", handle), failed(error));
    }

    #[test]
    fn damaged_requests_are_always_answered() {
        let whole = request(login("change"));
        for index in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[index] ^= 0xff;
            for damaged in [&whole[..index], &flipped] {
                let response = handle_event(damaged, handle);
                let response = HandleEventResponse::decode(&*response).unwrap();
                assert!(response.success == response.error.is_empty(), "{damaged:x?}");
            }
        }
    }

    #[test]
    fn a_batch_is_answered_in_order_and_a_failure_is_that_of_one_event() {
        let bad: &[u8] = b"\x0a\x04\x0a\x02\x0a\x09"; // a login whose metadata is cut short
        let events = ["local", "fail", "skip", "change"].map(|method| request(login(method)));
        let mut batch = Vec::new();
        let mut expected = Vec::new();
        let create = request(UserCreate::default().into());
        for request in events.iter().map(Vec::as_slice).chain([bad, &create]) {
            prost::encode_length_delimiter(request.len(), &mut batch).unwrap();
            batch.extend_from_slice(request);
            let response = handle_event(request, handle);
            prost::encode_length_delimiter(response.len(), &mut expected).unwrap();
            expected.extend_from_slice(&response);
        }
        assert_eq!(handle_events(&batch, handle).unwrap(), expected);
        assert_eq!(handle_events(b"", handle).unwrap(), b"");
    }

    #[test]
    fn a_batch_that_is_cut_short_is_an_error() {
        let request = request(login("local"));
        let mut batch = Vec::new();
        prost::encode_length_delimiter(request.len(), &mut batch).unwrap();
        batch.extend_from_slice(&request);
        for length in 1..batch.len() {
            assert!(handle_events(&batch[..length], handle).is_err(), "{length} bytes");
        }
    }
}
