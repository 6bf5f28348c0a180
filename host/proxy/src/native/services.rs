//! What the host lends to plugins: the other end of `HostServices`.

use super::isolation::Isolation;
use super::log;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use crate::upstream::Client;
use plugin_interface::host::abi_stable::prefix_type::PrefixTypeTrait;
use plugin_interface::host::abi_stable::sabi_types::RRef;
use plugin_interface::host::abi_stable::std_types::{ROption, RResult, RSlice, RStr, RVec, Tuple2};
use plugin_interface::host::async_ffi::{FfiFuture, FutureExt};
use plugin_interface::host::{HostServicesVtable, HostServicesVtable_Ref, Metric, MetricKind};
use plugin_interface::{Error, HostServices, Request, Response};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// Where audit events that plugins emit go. Must not block.
pub trait EventSink: Send + Sync {
    /// Takes an event, a JSON object, from a plugin.
    fn emit(&self, plugin: &str, event: &str) -> Result<(), String>;
}

/// Writes events to the log.
#[derive(Debug)]
pub struct LogEvents;

impl EventSink for LogEvents {
    fn emit(&self, plugin: &str, event: &str) -> Result<(), String> {
        tracing::info!(target: "audit", plugin, event);
        Ok(())
    }
}

/// The parts of the host that plugins can use.
pub struct HostSide {
    /// The runtime that their tasks and timers run on.
    pub runtime: Handle,
    /// The HTTP client.
    pub client: Client,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Where their audit events go.
    pub events: Arc<dyn EventSink>,
    /// One record a plugin, and a candidate's bounds, however often it is loaded: what is lent is lent for
    /// ever.
    lent: Mutex<HashMap<(String, Option<usize>), &'static Lent>>,
}

/// The host's record of a plugin: the context of its calls.
struct Lent {
    plugin: String,
    host: Arc<HostSide>,
    /// There if it was loaded as a candidate.
    isolation: Option<Isolation>,
}

impl Lent {
    /// What a call of it is bounded by, made here and now.
    fn bounds(&self) -> Option<&Isolation> {
        self.isolation.as_ref().filter(|isolation| isolation.holds())
    }

    fn store(&self) -> &dyn Store {
        match self.bounds() {
            Some(isolation) => isolation.store(),
            None => &*self.host.store,
        }
    }
}

impl HostSide {
    /// The parts, ready to be lent.
    pub fn new(
        runtime: Handle,
        client: Client,
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
        events: Arc<dyn EventSink>,
    ) -> Arc<Self> {
        Arc::new(Self { runtime, client, store, metrics, events, lent: Mutex::default() })
    }

    /// The services as a plugin of this name gets them.
    pub fn services(self: &Arc<Self>, plugin: &str) -> HostServices {
        lend(self.lent(None, plugin))
    }

    /// The services as a candidate gets them: with a record for its bounds.
    pub(super) fn services_in(
        self: &Arc<Self>,
        isolation: &Isolation,
        plugin: &str,
    ) -> HostServices {
        lend(self.lent(Some(isolation), plugin))
    }

    fn lent(self: &Arc<Self>, isolation: Option<&Isolation>, plugin: &str) -> &'static Lent {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (plugin.to_owned(), isolation.map(Isolation::address));
        lent.entry(key).or_insert_with(|| {
            let (plugin, host) = (plugin.to_owned(), self.clone());
            let isolation = isolation.map(Isolation::lent);
            Box::leak(Box::new(Lent { plugin, host, isolation }))
        })
    }
}

fn lend(lent: &'static Lent) -> HostServices {
    #[allow(unsafe_code)]
    // SAFETY: the functions of `vtable` take the context for a `Lent`.
    unsafe {
        HostServices::new(lent, vtable())
    }
}

fn vtable() -> HostServicesVtable_Ref {
    static VTABLE: OnceLock<HostServicesVtable_Ref> = OnceLock::new();
    *VTABLE.get_or_init(|| {
        HostServicesVtable {
            log: log::vtable(),
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
    #[allow(unsafe_code)]
    // SAFETY: the context is the `Lent` of `lend`, which is never freed; a plugin cannot make
    // another, its field is private.
    unsafe {
        context.transmute_into_ref()
    }
}

/// The name of the plugin that calls.
pub(super) fn caller(context: RRef<'static, ()>) -> &'static str {
    &lent(context).plugin
}

/// Runs a call from a plugin; a panic of ours must not unwind into it.
pub(super) fn shielded<T, R: Into<Option<T>>>(otherwise: T, call: impl FnOnce() -> R) -> T {
    catch_unwind(AssertUnwindSafe(call)).ok().and_then(Into::into).unwrap_or(otherwise)
}

fn shielded_result<T>(call: impl FnOnce() -> Result<T, Error>) -> RResult<T, Error> {
    let panicked = |_| Err(Error::new("the host panicked; its log says where"));
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(panicked).into()
}

extern "C" fn sleep(context: RRef<'static, ()>, milliseconds: u64) -> FfiFuture<()> {
    // The caller may be on a thread of its own, where tokio's sleep would panic: enter first.
    let _entered = lent(context).host.runtime.enter();
    tokio::time::sleep(Duration::from_millis(milliseconds)).into_ffi()
}

extern "C" fn spawn(context: RRef<'static, ()>, task: FfiFuture<RResult<(), Error>>) {
    let lent = lent(context);
    let task = async move {
        if let Err(error) = task.await.into_result() {
            tracing::error!(plugin = lent.plugin, %error, "a plugin's task failed");
        }
    };
    match &lent.isolation {
        None => lent.host.runtime.spawn(task),
        Some(isolation) => lent.host.runtime.spawn(isolation.around(&lent.plugin, task)),
    };
}

extern "C" fn http(
    context: RRef<'static, ()>,
    request: Request,
) -> FfiFuture<RResult<Response, Error>> {
    let lent = lent(context);
    if let Some(isolation) = lent.bounds().filter(|_| !matches!(request.method(), "GET" | "HEAD")) {
        isolation.withhold();
        let why = format_args!("a shadow sends no {} requests", request.method()).to_string();
        return async move { RResult::RErr(Error::new(why)) }.into_ffi();
    }
    let call = lent.host.client.send_for_plugin(request);
    // On the host's runtime, since the caller may be on another.
    let task = AbortOnDropHandle::new(lent.host.runtime.spawn(call));
    async move {
        match task.await {
            Ok(result) => result.into(),
            Err(error) => RResult::RErr(Error::new(error)),
        }
    }
    .into_ffi()
}

extern "C" fn metric(
    context: RRef<'static, ()>,
    kind: MetricKind,
    name: RStr<'_>,
    help: RStr<'_>,
    labels: RSlice<'_, Tuple2<RStr<'_>, RStr<'_>>>,
) -> RResult<Metric, Error> {
    let lent = lent(context);
    shielded_result(|| {
        let labels = labels.iter().map(|Tuple2(key, value)| (key.as_str(), value.as_str()));
        let (name, help, bounds) = (name.as_str(), help.as_str(), lent.isolation.as_ref());
        lent.host.metrics.for_plugin(&lent.plugin, bounds, kind, name, help, labels)
    })
}

/// A plugin's keys are its own.
fn key(lent: &Lent, key: RStr<'_>) -> String {
    format!("{}/{key}", lent.plugin)
}

fn store_error(error: StoreError) -> Error {
    Error::new(error)
}

fn lifetime(milliseconds: u64) -> Option<Duration> {
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}

extern "C" fn store_get(
    context: RRef<'static, ()>,
    name: RStr<'_>,
) -> RResult<ROption<RVec<u8>>, Error> {
    let lent = lent(context);
    shielded_result(|| {
        let value = lent.store().get(&key(lent, name)).map_err(store_error)?;
        Ok(value.map(RVec::from).into())
    })
}

extern "C" fn store_set(
    context: RRef<'static, ()>,
    name: RStr<'_>,
    value: RSlice<'_, u8>,
    ttl_milliseconds: u64,
) -> RResult<(), Error> {
    let lent = lent(context);
    shielded_result(|| {
        let ttl = lifetime(ttl_milliseconds);
        lent.store().set(&key(lent, name), &value, ttl).map_err(store_error)
    })
}

extern "C" fn store_delete(context: RRef<'static, ()>, name: RStr<'_>) -> RResult<bool, Error> {
    let lent = lent(context);
    shielded_result(|| lent.store().delete(&key(lent, name)).map_err(store_error))
}

extern "C" fn take_token(
    context: RRef<'static, ()>,
    scope: RStr<'_>,
    ttl_milliseconds: u64,
) -> RResult<u64, Error> {
    let lent = lent(context);
    shielded_result(|| {
        let ttl = Duration::from_millis(ttl_milliseconds);
        lent.store().take_token(&key(lent, scope), ttl).map_err(store_error)
    })
}

extern "C" fn release_tokens(context: RRef<'static, ()>, scope: RStr<'_>) -> RResult<u64, Error> {
    let lent = lent(context);
    shielded_result(|| lent.store().release_tokens(&key(lent, scope)).map_err(store_error))
}

extern "C" fn emit(context: RRef<'static, ()>, event: RStr<'_>) -> RResult<(), Error> {
    let lent = lent(context);
    shielded_result(|| match lent.bounds() {
        Some(isolation) => {
            isolation.withhold();
            Ok(())
        }
        None => lent.host.events.emit(&lent.plugin, event.as_str()).map_err(Error::new),
    })
}
