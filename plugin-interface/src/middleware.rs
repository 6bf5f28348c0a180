//! Middlewares: what authors implement, and what crosses the boundary.

use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::guard::{Guarded, catch};
use crate::message::Response;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::RBox;
use abi_stable::{StableAbi, sabi_trait};
use async_ffi::{BorrowingFfiFuture, FutureExt};

/// How the exchange goes on.
pub enum Step {
    /// On with the next middleware.
    Next,
    /// From a request hook: answer now; the middlewares already passed see the answer on the way
    /// out. From a response hook: this in place of the response in hand.
    Respond(Response),
    /// From a synchronous hook only: call the asynchronous one.
    Defer,
}

/// Code around each request.
///
/// The host calls one object from many threads at once, hence `&self` and `Sync`. A call must not
/// block: defer, and wait in the asynchronous hook. A panic or an error is a 500 for that request,
/// with the reason in the log and not in the answer; an operator may have said that a plugin that
/// panics is passed by, and how long a deferred step may take.
///
/// ```
/// use plugin_interface::{Exchange, Middleware, Response, Result, Step};
///
/// /// Turns robots away and tells the upstream who passed.
/// struct Gate;
///
/// impl Middleware for Gate {
///     fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
///         if exchange.header("user-agent") == Some(b"robot") {
///             return Ok(Step::Respond(Response::text(403, "not for robots\n")));
///         }
///         exchange.set_header("x-gate", "passed")?;
///         Ok(Step::Next)
///     }
/// }
/// ```
pub trait Middleware: Send + Sync + 'static {
    /// The request has come in. Called on a thread of the host's runtime.
    fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        let _ = exchange;
        Ok(Step::Next)
    }

    /// Called after [`Self::on_request`] returned [`Step::Defer`].
    ///
    /// The future may move between threads and may be dropped at any await: the client went away,
    /// or the time is over.
    fn on_request_async(
        &self,
        exchange: &mut Exchange<'_>,
    ) -> impl Future<Output = Result<Step>> + Send {
        let _ = exchange;
        async { Err(Error::new("on_request deferred, but there is no on_request_async")) }
    }

    /// The response is on its way out: head and, as a stream, body.
    fn on_response(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        let _ = exchange;
        Ok(Step::Next)
    }

    /// Called after [`Self::on_response`] returned [`Step::Defer`]; may be dropped at any await.
    fn on_response_async(
        &self,
        exchange: &mut Exchange<'_>,
    ) -> impl Future<Output = Result<Step>> + Send {
        let _ = exchange;
        async { Err(Error::new("on_response deferred, but there is no on_response_async")) }
    }
}

/// [`Step`] and failure as they cross the boundary. Frozen within 1.x.
#[repr(C, u8)]
#[derive(StableAbi)]
pub enum RawStep {
    /// [`Step::Next`].
    Next,
    /// [`Step::Respond`].
    Respond(Response),
    /// [`Step::Defer`].
    Defer,
    /// The call failed or panicked.
    Fail(Error),
}

impl From<Error> for RawStep {
    fn from(error: Error) -> Self {
        Self::Fail(error)
    }
}

impl From<Result<Step>> for RawStep {
    fn from(result: Result<Step>) -> Self {
        match result {
            Ok(Step::Next) => Self::Next,
            Ok(Step::Respond(response)) => Self::Respond(response),
            Ok(Step::Defer) => Self::Defer,
            Err(error) => Self::Fail(error),
        }
    }
}

/// Runs a synchronous hook; both panic and error become [`RawStep::Fail`].
pub(crate) fn step(hook: impl FnOnce() -> Result<Step>) -> RawStep {
    catch(hook).map_or_else(RawStep::Fail, RawStep::from)
}

/// [`Middleware`] as it crosses the boundary. The plugin owns the object behind it and frees it; a
/// call catches its panics before they reach the host.
#[sabi_trait]
#[allow(missing_docs)] // see the trait in front of it
pub trait RawMiddleware: Send + Sync + 'static {
    fn on_request(&self, exchange: Exchange<'_>) -> RawStep;
    fn on_request_async<'a>(&'a self, exchange: Exchange<'a>) -> BorrowingFfiFuture<'a, RawStep>;
    fn on_response(&self, exchange: Exchange<'_>) -> RawStep;
    #[sabi(last_prefix_field)]
    fn on_response_async<'a>(&'a self, exchange: Exchange<'a>) -> BorrowingFfiFuture<'a, RawStep>;
}

/// A registered middleware, as the host holds it.
pub type MiddlewareObject = RawMiddleware_TO<RBox<()>>;

/// Wraps an author's middleware, or one of the host's own, for the boundary.
pub fn middleware_object(middleware: impl Middleware) -> MiddlewareObject {
    RawMiddleware_TO::from_value(Guarded::new(middleware), TD_Opaque)
}

impl<M: Middleware> RawMiddleware for Guarded<M> {
    fn on_request(&self, mut exchange: Exchange<'_>) -> RawStep {
        step(|| M::on_request(self, &mut exchange))
    }

    fn on_request_async<'a>(
        &'a self,
        mut exchange: Exchange<'a>,
    ) -> BorrowingFfiFuture<'a, RawStep> {
        // The future owns the handle and lends it to the author's future inside: one allocation,
        // and the host's state is borrowed until the whole is dropped.
        let call = async move { RawStep::from(M::on_request_async(self, &mut exchange).await) };
        Guarded::new(call).into_ffi()
    }

    fn on_response(&self, mut exchange: Exchange<'_>) -> RawStep {
        step(|| M::on_response(self, &mut exchange))
    }

    fn on_response_async<'a>(
        &'a self,
        mut exchange: Exchange<'a>,
    ) -> BorrowingFfiFuture<'a, RawStep> {
        let call = async move { RawStep::from(M::on_response_async(self, &mut exchange).await) };
        Guarded::new(call).into_ffi()
    }
}
