//! The bridge logger: a plugin's `tracing` and `log` calls, with their typed fields, become events
//! and spans of the host's subscriber.
//!
//! A library has its own copy of `tracing` with its own global subscriber; what is logged there
//! would go nowhere. So [`install`] makes a subscriber that forwards, through a small vtable: a
//! callsite is registered once, and from then on an event is its number and its values.

mod records;
mod subscriber;

use crate::services::HostServices;
use abi_stable::StableAbi;
use abi_stable::sabi_types::RRef;
use abi_stable::std_types::{RSlice, RStr};
use std::sync::OnceLock;

/// Severity. A newtype and not an enum, so that it may grow. Smaller is more severe.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub u8);

impl Level {
    /// Nothing at all, as a filter.
    pub const OFF: Self = Self(0);
    /// Something failed.
    pub const ERROR: Self = Self(1);
    /// Something is not as it should be.
    pub const WARN: Self = Self(2);
    /// What an operator wants to know.
    pub const INFO: Self = Self(3);
    /// What a developer wants to know.
    pub const DEBUG: Self = Self(4);
    /// Everything.
    pub const TRACE: Self = Self(5);
}

/// A place in a plugin that logs. Borrowed for the call. Frozen within 1.x.
#[repr(C)]
#[derive(StableAbi)]
pub struct Callsite<'a> {
    /// The span's name, or where the event is.
    pub name: RStr<'a>,
    /// What filters match: by default the module.
    pub target: RStr<'a>,
    /// The source file; empty if not known.
    pub file: RStr<'a>,
    /// The line in it; 0 if not known.
    pub line: u32,
    /// How severe.
    pub level: Level,
    /// Whether it is a span's, not an event's.
    pub is_span: bool,
    /// The names of the fields; values come in this order.
    pub fields: RSlice<'a, RStr<'a>>,
}

/// Whether the host wants what a callsite logs. A newtype, so that it may grow.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest(pub u8);

impl Interest {
    /// No.
    pub const NEVER: Self = Self(0);
    /// Ask each time.
    pub const SOMETIMES: Self = Self(1);
    /// Yes.
    pub const ALWAYS: Self = Self(2);
}

/// The host's number for a callsite, and its interest. Frozen within 1.x.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Registered {
    /// Good for as long as the process lives.
    pub callsite: usize,
    /// Good until the host calls `log_filter_changed` of the library.
    pub interest: Interest,
}

/// The value of a field. Frozen within 1.x.
#[repr(C, u8)]
#[derive(StableAbi, Clone, Copy)]
pub enum Value<'a> {
    /// The field has none here.
    Empty,
    /// Signed.
    I64(i64),
    /// Unsigned.
    U64(u64),
    /// Floating point.
    F64(f64),
    /// True or false.
    Bool(bool),
    /// Text.
    Str(RStr<'a>),
    /// What `Debug` or `Display` made of it.
    Debug(RStr<'a>),
}

/// The parent of an event or a span: that of the thread's current span.
pub const PARENT_CURRENT: u64 = 0;
/// The parent of an event or a span: none.
pub const PARENT_NONE: u64 = u64::MAX;

/// What the host's side of the bridge does. Numbers of callsites and spans are the host's own;
/// none of the functions may panic.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = LogVtable_Ref)))]
#[allow(missing_docs)] // they are those of `tracing::Subscriber`
pub struct LogVtable {
    pub register: extern "C" fn(context: RRef<'static, ()>, callsite: &Callsite<'_>) -> Registered,
    pub enabled: extern "C" fn(callsite: usize) -> bool,
    pub event: extern "C" fn(callsite: usize, parent: u64, values: RSlice<'_, Value<'_>>),
    pub new_span: extern "C" fn(callsite: usize, parent: u64, values: RSlice<'_, Value<'_>>) -> u64,
    pub record: extern "C" fn(callsite: usize, span: u64, values: RSlice<'_, Value<'_>>),
    pub enter: extern "C" fn(span: u64),
    pub exit: extern "C" fn(span: u64),
    pub clone_span: extern "C" fn(span: u64) -> u64,
    pub close_span: extern "C" fn(span: u64) -> bool,
    #[sabi(last_prefix_field)]
    pub max_level: extern "C" fn() -> Level,
}

/// The host that this library logs to: the one it was first registered with.
static HOST: OnceLock<HostServices> = OnceLock::new();

/// Sends what this library logs to the host, and its panics as well: a library has its own std, so
/// the host's panic hook never sees them. Once a library; a later call does nothing.
pub(crate) fn install(host: HostServices) {
    if HOST.set(host).is_err() {
        return;
    }
    // Fails only if the author has set a subscriber or logger of his own: his wish.
    let _ = tracing_core::dispatcher::set_global_default(subscriber::Bridge::new(host).into());
    let _ = log::set_boxed_logger(Box::new(records::Records::new(host)));
    log::set_max_level(records::max_level(host));
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("a payload that is not text");
        tracing::error!(target: "panic", place, "panicked: {message}");
    }));
}

/// Asks the host anew what it wants logged.
pub extern "C" fn filter_changed() {
    if let Some(host) = HOST.get() {
        log::set_max_level(records::max_level(*host));
        tracing_core::callsite::rebuild_interest_cache();
    }
}
