//! Middlewares: what authors implement, for a native plugin and for one in a sandbox alike.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod raw;

use crate::Exchange;
use crate::error::{Error, Result};
use crate::message::Response;

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
        exchange.has_no_response_hook();
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
