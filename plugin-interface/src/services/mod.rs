//! What the host lends to a library: how a plugin talks back.

mod http_client;
mod metrics;
mod store;

pub use http_client::Request;
pub use metrics::{Counter, Gauge, Histogram, Metric, MetricKind};

use crate::bridge::LogVtable_Ref;
use crate::error::{Error, Result};
use crate::guard::Guarded;
use crate::message::Response;
use abi_stable::StableAbi;
use abi_stable::sabi_types::RRef;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RVec, Tuple2};
use async_ffi::{FfiFuture, FutureExt};
use std::time::Duration;

/// The host's side of a library, for as long as the process lives: two pointers, copied freely,
/// used from any thread, the plugin's own included. None of its calls panics.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct HostServices {
    /// The host's record of this library: it tells one caller from another.
    pub(crate) context: RRef<'static, ()>,
    pub(crate) vtable: HostServicesVtable_Ref,
}

/// The functions behind [`HostServices`]. Each takes the context first; none may panic or block.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HostServicesVtable_Ref)))]
#[allow(missing_docs)] // they are those of `HostServices`
pub struct HostServicesVtable {
    pub log: LogVtable_Ref,
    pub sleep: extern "C" fn(context: RRef<'static, ()>, milliseconds: u64) -> FfiFuture<()>,
    pub spawn: extern "C" fn(context: RRef<'static, ()>, task: FfiFuture<RResult<(), Error>>),
    pub http: extern "C" fn(
        context: RRef<'static, ()>,
        request: Request,
    ) -> FfiFuture<RResult<Response, Error>>,
    pub metric: extern "C" fn(
        context: RRef<'static, ()>,
        kind: MetricKind,
        name: RStr<'_>,
        help: RStr<'_>,
        labels: RSlice<'_, Tuple2<RStr<'_>, RStr<'_>>>,
    ) -> RResult<Metric, Error>,
    pub store_get: extern "C" fn(
        context: RRef<'static, ()>,
        key: RStr<'_>,
    ) -> RResult<ROption<RVec<u8>>, Error>,
    pub store_set: extern "C" fn(
        context: RRef<'static, ()>,
        key: RStr<'_>,
        value: RSlice<'_, u8>,
        ttl_milliseconds: u64,
    ) -> RResult<(), Error>,
    pub store_delete:
        extern "C" fn(context: RRef<'static, ()>, key: RStr<'_>) -> RResult<bool, Error>,
    pub take_token: extern "C" fn(
        context: RRef<'static, ()>,
        scope: RStr<'_>,
        ttl_milliseconds: u64,
    ) -> RResult<u64, Error>,
    pub release_tokens:
        extern "C" fn(context: RRef<'static, ()>, scope: RStr<'_>) -> RResult<u64, Error>,
    #[sabi(last_prefix_field)]
    pub emit: extern "C" fn(context: RRef<'static, ()>, event: RStr<'_>) -> RResult<(), Error>,
}

impl HostServices {
    /// For the host.
    ///
    /// # Safety
    /// The functions in `vtable` must accept a `context` of this `T`.
    pub unsafe fn new<T: Send + Sync>(context: &'static T, vtable: HostServicesVtable_Ref) -> Self {
        // SAFETY: a reference without its type; only the vtable's functions look behind it.
        Self { context: unsafe { RRef::new(context).transmute() }, vtable }
    }

    /// Waits on the host's timer: a plugin has no runtime of its own.
    pub fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send + Sync + use<> {
        SyncFuture(self.vtable.sleep()(self.context, milliseconds(time)))
    }

    /// Runs a task on the host's runtime. It ends with the process at the latest; an error or a
    /// panic in it is logged under the plugin's name.
    pub fn spawn(&self, task: impl Future<Output = Result<()>> + Send + 'static) {
        let task = async move { RResult::from(task.await) };
        self.vtable.spawn()(self.context, Guarded::new(task).into_ffi());
    }

    /// Sends a request with the host's HTTP client: its connections, TLS settings and timeouts. One
    /// with the content type of gRPC goes over HTTP/2; dropping the future, or the response's body,
    /// cancels it.
    pub fn http(&self, request: Request) -> impl Future<Output = Result<Response>> + Send + use<> {
        let response = self.vtable.http()(self.context, request);
        async move { response.await.into_result() }
    }

    /// Reports an audit event: a JSON object. Never waits; under overload the host may drop it,
    /// and counts what it drops.
    pub fn emit(&self, event: &str) -> Result<()> {
        self.vtable.emit()(self.context, event.into()).into_result()
    }
}

/// Whole milliseconds, rounded up: a wait of 1 ns is not a wait of none.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// A future that is only ever polled through `&mut`.
struct SyncFuture(FfiFuture<()>);

// SAFETY: no method takes `&self`, so a shared reference to it can do nothing.
unsafe impl Sync for SyncFuture {}

impl Future for SyncFuture {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        std::pin::Pin::new(&mut self.0).poll(cx)
    }
}
