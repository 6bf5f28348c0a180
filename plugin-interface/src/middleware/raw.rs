//! The middleware as it crosses the boundary.

use super::{Middleware, Step};
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::guard::{Guarded, catch};
use crate::message::Response;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::RBox;
use abi_stable::{StableAbi, sabi_trait};
use async_ffi::{BorrowingFfiFuture, FutureExt};

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
