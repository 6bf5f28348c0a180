//! What the test's host lends: the other end of `HostServices`.

use super::clock::Sleep;
use super::host::{Answer, HttpRequest};
use super::metrics::Metrics;
use super::store::Store;
use crate::bridge::{Callsite, Interest, Level, LogVtable, LogVtable_Ref, Registered, Value};
use crate::error::{Error, Result};
use crate::guard::catch;
use crate::message::Response;
use crate::services::{
    HostServices, HostServicesVtable, HostServicesVtable_Ref, Metric, MetricKind, Request,
};
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_types::RRef;
use abi_stable::std_types::{ROk, ROption, RResult, RSlice, RStr, RVec, Tuple2};
use async_ffi::{FfiFuture, FutureExt};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// The context of the calls: what a test's host is made of. Lent for ever, as the host's own.
#[derive(Default)]
pub(super) struct Lent(Mutex<Side>);

#[derive(Default)]
pub(super) struct Side {
    /// The time since the host was made.
    pub(super) now: Duration,
    pub(super) sleepers: BTreeMap<(Duration, u64), Waker>,
    pub(super) tasks: Vec<FfiFuture<RResult<(), Error>>>,
    pub(super) task_errors: Vec<String>,
    pub(super) answer: Option<Answer>,
    pub(super) requests: Vec<HttpRequest>,
    pub(super) metrics: Metrics,
    pub(super) store: Store,
    pub(super) events: Vec<String>,
}

impl Lent {
    pub(super) fn lock(&self) -> MutexGuard<'_, Side> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn services(&'static self) -> HostServices {
        // SAFETY: the functions of `vtable` take the context for a `Lent`.
        unsafe { HostServices::new(self, vtable()) }
    }
}

fn vtable() -> HostServicesVtable_Ref {
    static VTABLE: OnceLock<HostServicesVtable_Ref> = OnceLock::new();
    *VTABLE.get_or_init(|| {
        HostServicesVtable {
            log: log_vtable(),
            sleep,
            spawn,
            http,
            metric,
            store_get,
            store_set,
            store_delete,
            take_token,
            release_tokens,
            emit,
        }
        .leak_into_prefix()
    })
}

fn lent(context: RRef<'static, ()>) -> &'static Lent {
    // SAFETY: the context is the `Lent` of `Lent::services`, which lives for ever; a plugin cannot
    // make another, its field is private.
    unsafe { context.transmute_into_ref() }
}

extern "C" fn sleep(context: RRef<'static, ()>, milliseconds: u64) -> FfiFuture<()> {
    Sleep::new(lent(context), Duration::from_millis(milliseconds)).into_ffi()
}

extern "C" fn spawn(context: RRef<'static, ()>, task: FfiFuture<RResult<(), Error>>) {
    lent(context).lock().tasks.push(task);
}

extern "C" fn http(
    context: RRef<'static, ()>,
    request: Request,
) -> FfiFuture<RResult<Response, Error>> {
    let lent = lent(context);
    async move { answer(lent, request).await.into() }.into_ffi()
}

async fn answer(lent: &'static Lent, request: Request) -> Result<Response> {
    let request = HttpRequest::read(request).await?;
    let mut side = lent.lock();
    side.requests.push(request.clone());
    let answer = side.answer.clone();
    drop(side); // the answer may look at the host
    match answer {
        Some(answer) => catch(|| answer(&request))?,
        None => Err(Error::new(format_args!(
            "the test has no answer for {} {}: see Host::answer",
            request.method, request.url
        ))),
    }
}

extern "C" fn metric(
    context: RRef<'static, ()>,
    kind: MetricKind,
    name: RStr<'_>,
    _help: RStr<'_>,
    labels: RSlice<'_, Tuple2<RStr<'_>, RStr<'_>>>,
) -> RResult<Metric, Error> {
    let labels = labels.iter().map(|Tuple2(key, value)| (key.as_str(), value.as_str()));
    lent(context).lock().metrics.register(kind, name.as_str(), labels).into()
}

extern "C" fn store_get(
    context: RRef<'static, ()>,
    key: RStr<'_>,
) -> RResult<ROption<RVec<u8>>, Error> {
    let side = lent(context).lock();
    ROk(side.store.get(key.as_str(), side.now).map(RVec::from).into())
}

extern "C" fn store_set(
    context: RRef<'static, ()>,
    key: RStr<'_>,
    value: RSlice<'_, u8>,
    ttl_milliseconds: u64,
) -> RResult<(), Error> {
    let mut side = lent(context).lock();
    let now = side.now;
    side.store.set(key.as_str(), &value, Duration::from_millis(ttl_milliseconds), now);
    ROk(())
}

extern "C" fn store_delete(context: RRef<'static, ()>, key: RStr<'_>) -> RResult<bool, Error> {
    let mut side = lent(context).lock();
    let now = side.now;
    ROk(side.store.delete(key.as_str(), now))
}

extern "C" fn take_token(
    context: RRef<'static, ()>,
    scope: RStr<'_>,
    ttl_milliseconds: u64,
) -> RResult<u64, Error> {
    let mut side = lent(context).lock();
    let now = side.now;
    ROk(side.store.take_token(scope.as_str(), Duration::from_millis(ttl_milliseconds), now))
}

extern "C" fn release_tokens(context: RRef<'static, ()>, scope: RStr<'_>) -> RResult<u64, Error> {
    let mut side = lent(context).lock();
    let now = side.now;
    ROk(side.store.release_tokens(scope.as_str(), now))
}

extern "C" fn emit(context: RRef<'static, ()>, event: RStr<'_>) -> RResult<(), Error> {
    lent(context).lock().events.push(event.into());
    ROk(())
}

/// A log that nobody reads: `Host::load` does not install the bridge, which would take the panic
/// messages from the test's own output.
fn log_vtable() -> LogVtable_Ref {
    extern "C" fn register(_: RRef<'static, ()>, _: &Callsite<'_>) -> Registered {
        Registered { callsite: 0, interest: Interest::NEVER }
    }
    extern "C" fn enabled(_: usize) -> bool {
        false
    }
    extern "C" fn event(_: usize, _: u64, _: RSlice<'_, Value<'_>>) {}
    extern "C" fn new_span(_: usize, _: u64, _: RSlice<'_, Value<'_>>) -> u64 {
        1
    }
    extern "C" fn record(_: usize, _: u64, _: RSlice<'_, Value<'_>>) {}
    extern "C" fn enter(_: u64) {}
    extern "C" fn exit(_: u64) {}
    extern "C" fn clone_span(span: u64) -> u64 {
        span
    }
    extern "C" fn close_span(_: u64) -> bool {
        false
    }
    extern "C" fn max_level() -> Level {
        Level::OFF
    }
    LogVtable {
        register,
        enabled,
        event,
        new_span,
        record,
        enter,
        exit,
        clone_span,
        close_span,
        max_level,
    }
    .leak_into_prefix()
}
