//! For a plugin's own tests.
//!
//! A test written in [`tests!`](crate::tests) runs in two places: natively under `cargo test`,
//! against a fake [`Host`], and under `host test` in the compiled plugin, in the environment that it
//! runs in later, against a mock of the API that is called for locks.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native;

#[cfg(not(target_arch = "wasm32"))]
pub use crate::host::fake::Host;

use crate::exchange::{self, EVENT_IN};
use crate::{Error, Event, Outcome, Result, host, wire};
use prost::Message;
use proto::plugin::{Alert, HandleEventRequest, HandleEventResponse};
use proto::types::LockV2;
use std::fmt::Display;

/// The event of the fixture with this number, from `fixtures/<number>-<description>.json` in the
/// plugin's folder.
///
/// # Panics
///
/// There is no such fixture, or it holds no event.
pub fn fixture(number: u32) -> Event<'static> {
    Event::new(host::fixture(number.into()))
}

/// The same as what the host sends to the plugin.
///
/// # Panics
///
/// As [`fixture`]; and the event cannot be decoded.
#[allow(clippy::expect_used)] // a test's own premise
pub fn fixture_as_handle_event_request(number: u32) -> HandleEventRequest {
    let event = fixture(number).to_one_of().expect("the fixture is an event");
    HandleEventRequest { event: Some(event) }
}

/// Sends an event through the handler as the host does, bytes in and bytes out. None: it was
/// skipped.
///
/// # Errors
///
/// What the handler returned as its error.
pub fn run<E: Display>(
    handler: impl Fn(&mut Event<'_>) -> Result<Outcome, E>,
    event: &Event<'_>,
) -> Result<Option<Event<'static>>> {
    let response = exchange::handle_event(&request(event), handler);
    Response::decode(&*response)?.into_result()
}

/// Sends several events through the handler in one call, as the host does under load.
///
/// # Errors
///
/// The plugin has not answered every event. What the handler returned for each is in the list.
pub fn run_batch<E: Display>(
    handler: impl Fn(&mut Event<'_>) -> Result<Outcome, E>,
    events: &[Event<'_>],
) -> Result<Vec<Result<Option<Event<'static>>>>> {
    let mut requests = Vec::new();
    for event in events {
        let request = request(event);
        wire::put_varint(request.len(), &mut requests);
        requests.extend_from_slice(&request);
    }
    let responses = exchange::handle_events(&requests, handler)?;
    let mut rest = &*responses;
    let mut results = Vec::with_capacity(events.len());
    while !rest.is_empty() {
        results.push(Response::decode_length_delimited(&mut rest)?.into_result());
    }
    Ok(results)
}

/// The exchange itself: what the plugin answers to a request.
///
/// # Panics
///
/// The answer is none. This crate writes it, so that would be a fault of this crate.
#[allow(clippy::expect_used)]
pub fn handle_event<E: Display>(
    handler: impl Fn(&mut Event<'_>) -> Result<Outcome, E>,
    request: &HandleEventRequest,
) -> HandleEventResponse {
    let response = exchange::handle_event(&request.encode_to_vec(), handler);
    HandleEventResponse::decode(&*response).expect("the response can be decoded")
}

/// The latest lock that the plugin has asked for in this test.
///
/// # Panics
///
/// What it asked for is no lock.
#[allow(clippy::expect_used)]
pub fn latest_api_request() -> Option<LockV2> {
    let request = host::latest_api_request()?;
    Some(LockV2::decode(&*request).expect("the plugin's request is a types.LockV2"))
}

/// The alert that the plugin sent as its `index`th in this test, from 0.
///
/// # Panics
///
/// What it sent is no alert.
#[allow(clippy::expect_used)]
pub fn alert(index: u32) -> Option<Alert> {
    let alert = host::alert_sent(index.into())?;
    Some(Alert::decode(&*alert).expect("the plugin's alert is a plugin.Alert"))
}

fn request(event: &Event<'_>) -> Vec<u8> {
    let length = event.encoded_len();
    let mut request = Vec::with_capacity(wire::field_len(EVENT_IN, length));
    wire::put_key(EVENT_IN, &mut request);
    wire::put_varint(length, &mut request);
    event.encode(&mut request);
    request
}

/// `plugin.HandleEventResponse` with the event left as bytes, so that a test need not carry the code
/// that decodes every type of event.
#[derive(Clone, PartialEq, prost::Message)]
struct Response {
    #[prost(bool, tag = "1")]
    success: bool,
    #[prost(string, tag = "2")]
    error: String,
    #[prost(bytes = "vec", optional, tag = "3")]
    event: Option<Vec<u8>>,
}

impl Response {
    fn into_result(self) -> Result<Option<Event<'static>>> {
        match self.success {
            true => Ok(self.event.map(Event::new)),
            false => Err(Error::new(self.error)),
        }
    }
}

/// Defines tests that run natively under `cargo test` and, in a plugin built with them, under `host
/// test`, which finds each as the export `test_<name>`.
///
/// Keep them in a module that a released plugin does not have:
/// `#[cfg(any(test, feature = "tests"))] mod tests;`, with `tests = []` among the features in
/// Cargo.toml. A test fails by a panic, or by the error that it returns.
///
/// ```
/// # use event_sdk::{Event, Outcome, Result};
/// # fn handle(_: &mut Event<'_>) -> Result<Outcome> { Ok(Outcome::Keep) }
/// use event_sdk::testing::{fixture, run};
///
/// event_sdk::tests! {
///     fn keeps_everything() {
///         assert!(run(handle, &fixture(1)).unwrap().is_some());
///     }
/// }
/// ```
#[macro_export]
macro_rules! tests {
    ($($(#[$meta:meta])* fn $name:ident() $(-> $result:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[cfg(any(test, target_arch = "wasm32"))]
        #[cfg_attr(not(target_arch = "wasm32"), test)]
        fn $name() $(-> $result)? {
            $crate::__private::start_test();
            $body
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[unsafe(export_name = concat!("test_", stringify!($name)))]
            extern "C" fn run() -> i32 {
                $crate::__private::run_test($name)
            }
        };
    )*};
}
