//! Host and plugin in one process: every call over the boundary, small enough for Miri.
//!
//! `cargo +nightly miri test -p plugin-interface --test in_process`
// A test fails loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bodies;
mod deferred;
mod exchange;
mod panics;
mod patches;
mod state;

use plugin_interface::host::{MiddlewareObject, RawStep, middleware_object};
use plugin_interface::{Error, Exchange, Middleware, Result, Step};
use state::State;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A middleware of one function for both directions.
struct Hook<F>(F);

impl<F> Middleware for Hook<F>
where
    F: Fn(&mut Exchange<'_>) -> Result<Step> + Send + Sync + 'static,
{
    fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        self.0(exchange)
    }

    fn on_response(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        self.0(exchange)
    }
}

fn hook(
    hook: impl Fn(&mut Exchange<'_>) -> Result<Step> + Send + Sync + 'static,
) -> MiddlewareObject {
    middleware_object(Hook(hook))
}

/// Calls a function as a plugin's, over the boundary.
fn call(
    state: &mut State,
    function: impl Fn(&mut Exchange<'_>) -> Result<Step> + Send + Sync + 'static,
) -> RawStep {
    hook(function).on_request(Exchange::new(state))
}

/// The same, for a function that must succeed.
fn inside(
    state: &mut State,
    function: impl Fn(&mut Exchange<'_>) -> Result<()> + Send + Sync + 'static,
) {
    match call(state, move |exchange| function(exchange).map(|()| Step::Next)) {
        RawStep::Next => {}
        other => panic!("{:?}", failure(other)),
    }
}

/// The error of a step that has failed.
fn failure(step: RawStep) -> Error {
    match step {
        RawStep::Fail(error) => error,
        RawStep::Next => panic!("it went on"),
        RawStep::Respond(_) => panic!("it answered"),
        RawStep::Defer => panic!("it deferred"),
    }
}

/// Polls until it is ready; nothing here waits for anything.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

/// Panics when dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("boom in drop");
    }
}
