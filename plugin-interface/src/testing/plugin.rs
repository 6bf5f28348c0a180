//! A plugin as the host holds it.

use super::clock::block_on;
use super::exchange::TestExchange;
use super::services::Lent;
use super::state::{Place, State};
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::guard::catch;
use crate::middleware::raw::{MiddlewareObject, RawStep};
use crate::module::{RawRegistrar, Registrar};
use crate::patch::authenticator::{AuthenticatorObject, RawVerdict};
use crate::patch::error_page::{ErrorPageObject, Failure};
use crate::patch::reverse_proxy::{ReverseProxyObject, Route};
use crate::services::HostServices;
use abi_stable::std_types::RStr;
use http::StatusCode;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a plugin has registered, ready to be called as the host calls it.
///
/// An error is one that the plugin returned, a panic of its, or an answer that HTTP cannot carry:
/// all a 500 for a client of the real host. What happened else is for the test to read from its
/// [`TestExchange`].
pub struct Plugin {
    host: &'static Lent,
    number: usize,
    offers: Offers,
}

#[derive(Default)]
struct Offers {
    middlewares: Vec<(String, MiddlewareObject)>,
    authenticators: Vec<(String, AuthenticatorObject)>,
    reverse_proxy: Option<ReverseProxyObject>,
    error_page: Option<ErrorPageObject>,
}

impl RawRegistrar for Offers {
    fn middleware(&mut self, name: RStr<'_>, middleware: MiddlewareObject) {
        self.middlewares.push((name.into(), middleware));
    }

    fn authenticator(&mut self, name: RStr<'_>, authenticator: AuthenticatorObject) {
        self.authenticators.push((name.into(), authenticator));
    }

    fn reverse_proxy(&mut self, patch: ReverseProxyObject) {
        self.reverse_proxy = Some(patch);
    }

    fn error_page(&mut self, patch: ErrorPageObject) {
        self.error_page = Some(patch);
    }
}

impl Plugin {
    pub(super) fn register(
        host: &'static Lent,
        register: impl FnOnce(&mut Registrar<'_>, HostServices, &str) -> Result<()>,
        config: &str,
    ) -> Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let mut offers = Offers::default();
        catch(|| register(&mut Registrar::new(&mut offers), host.services(), config))??;
        let plugin = Self { host, number: NUMBER.fetch_add(1, Ordering::Relaxed), offers };
        match plugin.registers().is_empty() {
            true => Err(Error::new("it registers nothing")),
            false => Ok(plugin),
        }
    }

    /// What it has registered, as `host inspect` lists it: `middleware gate`.
    pub fn registers(&self) -> Vec<String> {
        let offers = &self.offers;
        let middlewares = offers.middlewares.iter().map(|(name, _)| format!("middleware {name}"));
        let authenticators =
            offers.authenticators.iter().map(|(name, _)| format!("authenticator {name}"));
        let mut list: Vec<_> = middlewares.chain(authenticators).collect();
        list.extend(offers.reverse_proxy.as_ref().map(|_| "patch reverse_proxy".to_owned()));
        list.extend(offers.error_page.as_ref().map(|_| "patch error_page".to_owned()));
        list
    }

    /// Takes a request through its middlewares, in order, until one answers.
    pub fn on_request(&self, exchange: &mut TestExchange) -> Result<()> {
        for (index, (_, middleware)) in self.offers.middlewares.iter().enumerate() {
            exchange.passed.insert(self.number, index);
            let state = self.call(exchange, index);
            let mut step = middleware.on_request(Exchange::new(state));
            if let RawStep::Defer = step {
                step =
                    block_on(Some(self.host), middleware.on_request_async(Exchange::new(state)))?;
            }
            if apply(state, step)? {
                return Ok(());
            }
        }
        exchange.passed.insert(self.number, self.offers.middlewares.len());
        Ok(())
    }

    /// Takes the response through its middlewares, in reverse: those that let the request pass, or
    /// all if there was no [`Self::on_request`]. An error if there is no response yet, see
    /// [`TestExchange::respond`].
    pub fn on_response(&self, exchange: &mut TestExchange) -> Result<()> {
        if exchange.status().is_none() {
            return Err(Error::new("there is no response yet: see TestExchange::respond"));
        }
        let all = self.offers.middlewares.len();
        let passed = exchange.passed.get(&self.number).map_or(all, |passed| *passed);
        for (index, (_, middleware)) in self.offers.middlewares[..passed].iter().enumerate().rev() {
            let state = self.call(exchange, index);
            let mut step = middleware.on_response(Exchange::new(state));
            if let RawStep::Defer = step {
                step =
                    block_on(Some(self.host), middleware.on_response_async(Exchange::new(state)))?;
            }
            apply(state, step)?;
        }
        Ok(())
    }

    /// Asks its authenticators, in order. Afterwards the exchange has an identity if one has
    /// accepted, a response if one has rejected, and neither if all have abstained.
    pub fn authenticate(&self, exchange: &mut TestExchange) -> Result<()> {
        if self.offers.authenticators.is_empty() {
            return Err(Error::new("it registers no authenticator"));
        }
        for (index, (_, authenticator)) in self.offers.authenticators.iter().enumerate() {
            if exchange.identity().is_some() || exchange.status().is_some() {
                break;
            }
            let state = self.call(exchange, self.offers.middlewares.len() + index);
            let mut verdict = authenticator.authenticate(Exchange::new(state));
            if let RawVerdict::Defer = verdict {
                let call = authenticator.authenticate_async(Exchange::new(state));
                verdict = block_on(Some(self.host), call)?;
            }
            match verdict {
                RawVerdict::Accept(user) if user.is_empty() => {
                    return Err(Error::new("it accepted a user without a name"));
                }
                RawVerdict::Accept(user) => state.identity = Some(user.into()),
                RawVerdict::Abstain => {}
                RawVerdict::Reject(response) => state.respond(response)?,
                RawVerdict::Defer => return Err(deferred_again()),
                RawVerdict::Fail(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What its authenticators ask clients for, in `WWW-Authenticate`.
    pub fn challenges(&self) -> Vec<String> {
        let authenticators = self.offers.authenticators.iter();
        authenticators.map(|(_, authenticator)| authenticator.challenge().into()).collect()
    }

    /// Has its reverse proxy rewrite the request, with what the host's `--target` and `--prefix`
    /// would say.
    pub fn rewrite(&self, exchange: &mut TestExchange, target: &str, prefix: &str) -> Result<()> {
        let patch = &self.offers.reverse_proxy;
        let patch =
            patch.as_ref().ok_or_else(|| Error::new("it registers no patch of reverse_proxy"))?;
        let (state, route) = (self.call(exchange, usize::MAX), Route::new(target, prefix));
        let mut step = patch.rewrite(Exchange::new(state), route);
        if let RawStep::Defer = step {
            step = block_on(Some(self.host), patch.rewrite_async(Exchange::new(state), route))?;
        }
        apply(state, step).map(drop)
    }

    /// Has its error page answer for a failure of this status. As in the host, the answer has that
    /// status, whatever the page says.
    pub fn render(&self, exchange: &mut TestExchange, status: u16) -> Result<()> {
        let page = &self.offers.error_page;
        let page =
            page.as_ref().ok_or_else(|| Error::new("it registers no patch of error_page"))?;
        let status = StatusCode::from_u16(status)?;
        let failure = Failure::new(status.as_u16(), status.canonical_reason().unwrap_or("Error"));
        let state = self.call(exchange, usize::MAX);
        state.response = None; // a page sees the request, not a response that has failed
        let answer = page.render(Exchange::new(state), failure).into_result()?;
        state.respond(answer)?;
        if let Some(response) = &mut state.response {
            response.status = status;
        }
        Ok(())
    }

    /// The state, with the slot of who is about to be called.
    fn call<'a>(&self, exchange: &'a mut TestExchange, index: usize) -> &'a mut State {
        let place: Place = (self.number, index);
        exchange.state.current = place;
        &mut exchange.state
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("registers", &self.registers()).finish_non_exhaustive()
    }
}

/// Says whether somebody has answered.
fn apply(state: &mut State, step: RawStep) -> Result<bool> {
    match step {
        RawStep::Next => Ok(false),
        RawStep::Respond(response) => state.respond(response).map(|()| true),
        RawStep::Defer => Err(deferred_again()),
        RawStep::Fail(error) => Err(error),
    }
}

fn deferred_again() -> Error {
    Error::new("an asynchronous hook deferred again")
}
