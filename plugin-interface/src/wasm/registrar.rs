//! What a module offers.

use super::exchange::Call;
use crate::error::{Error, Result};
use crate::middleware::{Middleware, Step};
use std::marker::PhantomData;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Takes what a module offers: one middleware. Authenticators and patches are for native plugins.
pub struct Registrar<'a> {
    pub(super) offered: Vec<(String, Box<dyn Hooks>)>,
    pub(super) reads: Vec<String>,
    lifetime: PhantomData<&'a ()>,
}

impl Registrar<'_> {
    pub(super) fn new() -> Self {
        Self { offered: Vec::new(), reads: Vec::new(), lifetime: PhantomData }
    }

    /// The middleware. The name is for logs.
    pub fn middleware(&mut self, name: &str, middleware: impl Middleware) {
        self.offered.push((name.to_owned(), Box::new(middleware)));
    }

    /// Names the values of other middlewares that this plugin reads: the host sends no others into
    /// the sandbox.
    pub fn reads(&mut self, keys: &[&str]) {
        self.reads.extend(keys.iter().map(|&key| key.to_owned()));
    }

    /// The one that a module can have.
    pub(super) fn take(self) -> Result<(String, Box<dyn Hooks>, Vec<String>)> {
        let mut offered = self.offered.into_iter();
        match (offered.next(), offered.next()) {
            (Some((name, hooks)), None) => Ok((name, hooks, self.reads)),
            (None, _) => Err(Error::new("it registered nothing")),
            (_, Some((second, _))) => Err(Error::new(format_args!(
                "it registers a second middleware, {second}; a module in a sandbox has one: make it two plugins"
            ))),
        }
    }
}

/// Which hook is called.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Hook {
    Request,
    Response,
}

/// A middleware without its type.
pub(super) trait Hooks: Send + Sync {
    /// Runs a hook: the deferred one if the body has come for it.
    fn run(&self, hook: Hook, call: &mut Call) -> Result<Step>;
}

impl<M: Middleware> Hooks for M {
    fn run(&self, hook: Hook, call: &mut Call) -> Result<Step> {
        let deferred = call.has_body();
        let mut exchange = call.exchange();
        match (hook, deferred) {
            (Hook::Request, false) => self.on_request(&mut exchange),
            (Hook::Request, true) => at_once(self.on_request_async(&mut exchange)),
            (Hook::Response, false) => self.on_response(&mut exchange),
            (Hook::Response, true) => at_once(self.on_response_async(&mut exchange)),
        }
    }
}

/// Runs a future that has all it needs.
fn at_once(future: impl Future<Output = Result<Step>>) -> Result<Step> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(Error::new(
            "it waits for something; in a sandbox a hook has the body and can wait for nothing else",
        )),
    }
}
