//! The point `reverse_proxy`: how a request becomes the upstream's.

use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::guard::Guarded;
use crate::middleware::Step;
use crate::middleware::raw::{RawStep, step};
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RBox, RStr};
use abi_stable::{StableAbi, sabi_trait};
use async_ffi::{BorrowingFfiFuture, FutureExt};

/// Where the host was told to send requests: `--target` and `--prefix`. Borrowed from the host for
/// one call. Frozen within 1.x.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Route<'a> {
    target: RStr<'a>,
    prefix: RStr<'a>,
}

impl<'a> Route<'a> {
    /// For the host.
    pub fn new(target: &'a str, prefix: &'a str) -> Self {
        Self { target: target.into(), prefix: prefix.into() }
    }

    /// The upstream's URL.
    pub fn target(&self) -> &'a str {
        self.target.as_str()
    }

    /// The path that this proxy serves: `/` or, without a slash at its end, `/prefix`.
    pub fn prefix(&self) -> &'a str {
        self.prefix.as_str()
    }
}

/// Rewrites the request for the upstream, or answers in its place. Threads, panics and
/// cancellation as in [`crate::Middleware`].
pub trait ReverseProxy: Send + Sync + 'static {
    /// [`Step::Next`] sends the exchange, as it now is, to the upstream.
    fn rewrite(&self, exchange: &mut Exchange<'_>, route: Route<'_>) -> Result<Step>;

    /// Called after [`Self::rewrite`] returned [`Step::Defer`].
    fn rewrite_async(
        &self,
        exchange: &mut Exchange<'_>,
        route: Route<'_>,
    ) -> impl Future<Output = Result<Step>> + Send {
        let _ = (exchange, route);
        async { Err(Error::new("rewrite deferred, but there is no rewrite_async")) }
    }
}

/// [`ReverseProxy`] as it crosses the boundary.
#[sabi_trait]
#[allow(missing_docs)] // see the trait in front of it
pub trait RawReverseProxy: Send + Sync + 'static {
    fn rewrite(&self, exchange: Exchange<'_>, route: Route<'_>) -> RawStep;
    #[sabi(last_prefix_field)]
    fn rewrite_async<'a>(
        &'a self,
        exchange: Exchange<'a>,
        route: Route<'a>,
    ) -> BorrowingFfiFuture<'a, RawStep>;
}

/// A registered reverse proxy, as the host holds it.
pub type ReverseProxyObject = RawReverseProxy_TO<RBox<()>>;

/// Wraps a plugin's reverse proxy, or the host's own, for the boundary.
pub fn reverse_proxy_object(patch: impl ReverseProxy) -> ReverseProxyObject {
    RawReverseProxy_TO::from_value(Guarded::new(patch), TD_Opaque)
}

impl<P: ReverseProxy> RawReverseProxy for Guarded<P> {
    fn rewrite(&self, mut exchange: Exchange<'_>, route: Route<'_>) -> RawStep {
        step(|| P::rewrite(self, &mut exchange, route))
    }

    fn rewrite_async<'a>(
        &'a self,
        mut exchange: Exchange<'a>,
        route: Route<'a>,
    ) -> BorrowingFfiFuture<'a, RawStep> {
        let call = async move { RawStep::from(P::rewrite_async(self, &mut exchange, route).await) };
        Guarded::new(call).into_ffi()
    }
}
