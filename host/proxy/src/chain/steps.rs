//! The calls of middlewares and of the reverse proxy, and what becomes of a request when one fails.

use super::{Links, Part, Turn};
use crate::exchange::State;
use crate::failure::Failure;
use crate::span::under;
use crate::stage::{Admission, Call, Fate};
use plugin_interface::host::{MiddlewareObject, RawStep, ReverseProxyObject};
use plugin_interface::{Error, ErrorKind, Exchange, Route};
use std::sync::Arc;

impl Links {
    pub(super) async fn on_request(
        &self,
        state: &mut State,
        part: &Part<Arc<MiddlewareObject>>,
    ) -> Result<Turn, Failure> {
        let mut call = match part.stage.admit(&mut state.progress) {
            Admission::Call(call) => call,
            Admission::Without => return Ok(Turn::Without),
            Admission::Refused => return Err(part.refused()),
        };
        state.body_taken = false;
        let mut step = part.object.on_request(Exchange::new(state));
        if let RawStep::Defer = step {
            // The future borrows the state until it is dropped, done or not.
            step = call.wait(part.object.on_request_async(Exchange::new(state))).await;
        }
        let turn = apply(state, step);
        self.settle(state, part, call, turn)
    }

    pub(super) async fn on_response(
        &self,
        state: &mut State,
        part: &Part<Arc<MiddlewareObject>>,
    ) -> Result<Turn, Failure> {
        let mut call = match part.stage.admit(&mut state.progress) {
            Admission::Call(call) => call,
            Admission::Without => return Ok(Turn::Without),
            Admission::Refused => return Err(part.refused()),
        };
        state.body_taken = false;
        let mut step = part.object.on_response(Exchange::new(state));
        if let RawStep::Defer = step {
            step = call.wait(part.object.on_response_async(Exchange::new(state))).await;
        }
        let turn = apply(state, step);
        self.settle(state, part, call, turn)
    }

    /// Lets the reverse proxy rewrite the request for the upstream. Without its patch the request
    /// goes as it is: that is what the built-in does.
    pub(super) async fn rewrite(
        &self,
        state: &mut State,
        route: Route<'_>,
    ) -> Result<Turn, Failure> {
        let part: &Part<Arc<ReverseProxyObject>> = &self.reverse_proxy;
        let mut call = match part.stage.admit(&mut state.progress) {
            Admission::Call(call) => call,
            Admission::Without => return Ok(Turn::Without),
            Admission::Refused => return Err(part.refused()),
        };
        state.body_taken = false;
        let mut step = part.object.rewrite(Exchange::new(state), route);
        if let RawStep::Defer = step {
            step = call.wait(part.object.rewrite_async(Exchange::new(state), route)).await;
        }
        let turn = apply(state, step);
        self.settle(state, part, call, turn)
    }

    /// Ends a call, and says what becomes of the request.
    fn settle<T>(
        &self,
        state: &mut State,
        part: &Part<T>,
        call: Call<'_>,
        turn: Result<Turn, Error>,
    ) -> Result<Turn, Failure> {
        match turn {
            Ok(turn) => {
                call.decided(&mut state.progress, turn.decision());
                Ok(turn)
            }
            Err(error) => self.after_failure(state, part, call, error),
        }
    }

    /// Ends a call that has failed: a failure of the request, or nothing if the plugin is bypassed.
    /// What it had changed by then stays changed. A body that it has taken and not put back is
    /// gone: without it the request, or the response, would be another.
    #[cold]
    pub(super) fn after_failure<T>(
        &self,
        state: &mut State,
        part: &Part<T>,
        call: Call<'_>,
        error: Error,
    ) -> Result<Turn, Failure> {
        let overdue = call.overdue();
        match call.failed(&mut state.progress, &error, !state.body_taken) {
            Fate::Bypass => {
                let (name, panicked) = (&part.name, error.kind() == ErrorKind::PANICKED);
                let what = if panicked { "panicked" } else { "failed" };
                under(|| tracing::error!("{name} {what} and is bypassed: {error}"));
                self.metrics.count_failure(name, panicked);
                Ok(Turn::Without)
            }
            Fate::Fail => Err(match overdue {
                Some(limit) => Failure::Overdue { plugin: part.name.clone(), limit },
                None => Failure::Plugin { plugin: part.name.clone(), error },
            }),
        }
    }
}

pub(super) fn apply(state: &mut State, step: RawStep) -> Result<Turn, Error> {
    match step {
        RawStep::Next => Ok(Turn::Next),
        RawStep::Respond(response) => state.respond(response).map(|()| Turn::Answered),
        RawStep::Fail(error) => Err(error),
        RawStep::Defer => Err(Error::new("an asynchronous hook deferred again")),
    }
}
