//! The host's end of the bridge logger: what plugins log becomes events and spans of the host's
//! own subscriber.
//!
//! `tracing` wants callsites that live for ever; a plugin's do, but in its own types. So each gets
//! a twin here, made once and leaked: there are as many as there are places in plugins that log.

use super::recent;
use super::services::{caller, shielded};
use crate::span::under;
use plugin_interface::host::abi_stable::prefix_type::PrefixTypeTrait;
use plugin_interface::host::abi_stable::sabi_types::RRef;
use plugin_interface::host::abi_stable::std_types::RSlice;
use plugin_interface::host::{
    Callsite as PluginCallsite, Interest, Level, LogVtable, LogVtable_Ref, PARENT_CURRENT,
    PARENT_NONE, Registered, Value,
};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};
use tracing_core::field::{DebugValue, FieldSet, ValueSet, debug};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{
    Callsite, Event, LevelFilter, Metadata, callsite, dispatcher, identify_callsite,
};

/// The functions, for the services of every library.
pub(super) fn vtable() -> LogVtable_Ref {
    static VTABLE: OnceLock<LogVtable_Ref> = OnceLock::new();
    *VTABLE.get_or_init(|| {
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
    })
}

/// The twin of a plugin's callsite.
#[derive(Debug)]
struct Twin {
    /// The plugin that it belongs to; of several from one library, the first.
    plugin: OnceLock<&'static str>,
    metadata: OnceLock<Metadata<'static>>,
    interest: AtomicU8,
}

impl Callsite for Twin {
    fn set_interest(&self, interest: tracing_core::Interest) {
        let interest = match (interest.is_never(), interest.is_always()) {
            (true, _) => Interest::NEVER,
            (_, true) => Interest::ALWAYS,
            _ => Interest::SOMETIMES,
        };
        self.interest.store(interest.0, Ordering::Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        // Set before anybody can see the twin.
        self.metadata.get().unwrap_or(&UNSET)
    }
}

static NOWHERE: Twin =
    Twin { plugin: OnceLock::new(), metadata: OnceLock::new(), interest: AtomicU8::new(0) };
static UNSET: Metadata<'static> = Metadata::new(
    "unset",
    "plugin",
    tracing_core::Level::TRACE,
    None,
    None,
    None,
    FieldSet::new(&[], identify_callsite!(&NOWHERE)),
    tracing_core::metadata::Kind::EVENT,
);

/// All twins: by number for calls, by content for a callsite that asks again.
#[derive(Default)]
struct Twins {
    all: Vec<&'static Twin>,
    numbers: HashMap<Key, usize>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    target: String,
    name: String,
    file: String,
    line: u32,
    level: u8,
    is_span: bool,
    fields: Vec<String>,
}

static TWINS: RwLock<Option<Twins>> = RwLock::new(None);

fn twin(number: usize) -> Option<&'static Twin> {
    let twins = TWINS.read().unwrap_or_else(PoisonError::into_inner);
    twins.as_ref()?.all.get(number).copied()
}

extern "C" fn register(context: RRef<'static, ()>, callsite: &PluginCallsite<'_>) -> Registered {
    let nothing = Registered { callsite: usize::MAX, interest: Interest::NEVER };
    shielded(nothing, || {
        let key = Key {
            target: callsite.target.to_string(),
            name: callsite.name.to_string(),
            file: callsite.file.to_string(),
            line: callsite.line,
            level: callsite.level.0,
            is_span: callsite.is_span,
            fields: callsite.fields.iter().map(ToString::to_string).collect(),
        };
        let mut guard = TWINS.write().unwrap_or_else(PoisonError::into_inner);
        let twins = guard.get_or_insert_default();
        let known = twins.numbers.get(&key).copied();
        let number = known.unwrap_or_else(|| {
            let twin = leak(&key);
            let _ = twin.plugin.set(caller(context));
            twins.all.push(twin);
            twins.numbers.insert(key, twins.all.len() - 1);
            twins.all.len() - 1
        });
        let twin = twins.all[number];
        drop(guard); // registering asks the subscriber, which may log
        if known.is_none() {
            callsite::register(twin);
        }
        let interest = Interest(twin.interest.load(Ordering::Relaxed));
        Registered { callsite: number, interest }
    })
}

fn leak(key: &Key) -> &'static Twin {
    let twin: &'static Twin = Box::leak(Box::new(Twin {
        plugin: OnceLock::new(),
        metadata: OnceLock::new(),
        interest: AtomicU8::new(Interest::SOMETIMES.0),
    }));
    let text = |text: &str| -> &'static str { String::leak(text.to_owned()) };
    let names: Vec<&'static str> = key.fields.iter().map(|name| text(name)).collect();
    let level = match Level(key.level) {
        Level::ERROR => tracing_core::Level::ERROR,
        Level::WARN => tracing_core::Level::WARN,
        Level::INFO => tracing_core::Level::INFO,
        Level::DEBUG => tracing_core::Level::DEBUG,
        _ => tracing_core::Level::TRACE,
    };
    let kind = match key.is_span {
        true => tracing_core::metadata::Kind::SPAN,
        false => tracing_core::metadata::Kind::EVENT,
    };
    let _ = twin.metadata.set(Metadata::new(
        text(&key.name),
        text(&key.target),
        level,
        (!key.file.is_empty()).then(|| text(&key.file)),
        (key.line != 0).then_some(key.line),
        None,
        FieldSet::new(Vec::leak(names), identify_callsite!(twin)),
        kind,
    ));
    twin
}

extern "C" fn enabled(callsite: usize) -> bool {
    shielded(false, || {
        let Some(metadata) = twin(callsite).and_then(|twin| twin.metadata.get()) else {
            return false;
        };
        dispatcher::get_default(|dispatch| dispatch.enabled(metadata))
    })
}

extern "C" fn event(callsite: usize, parent: u64, values: RSlice<'_, Value<'_>>) {
    with_values(callsite, &values, (), |metadata, values| match parent {
        PARENT_CURRENT => under(|| Event::dispatch(metadata, values)),
        PARENT_NONE => Event::child_of(None, metadata, values),
        parent => Event::child_of(Id::from_u64(parent), metadata, values),
    });
    shielded((), || {
        let twin = twin(callsite)?;
        let metadata = twin.metadata.get()?;
        let names = metadata.fields().iter().map(|field| field.name());
        let values = values.iter().map(|value| Held::from(value).to_text());
        let plugin = twin.plugin.get().copied().unwrap_or_default();
        recent::keep(*metadata.level(), plugin, names.zip(values));
        Some(())
    });
}

extern "C" fn new_span(callsite: usize, parent: u64, values: RSlice<'_, Value<'_>>) -> u64 {
    with_values(callsite, &values, PARENT_NONE, |metadata, values| {
        let span = match parent {
            PARENT_CURRENT => Attributes::new(metadata, values),
            PARENT_NONE => Attributes::new_root(metadata, values),
            parent => Attributes::child_of(Id::from_u64(parent), metadata, values),
        };
        let new_span = || dispatcher::get_default(|it| it.new_span(&span).into_u64());
        if parent == PARENT_CURRENT { under(new_span) } else { new_span() }
    })
}

extern "C" fn record(callsite: usize, span: u64, values: RSlice<'_, Value<'_>>) {
    with_values(callsite, &values, (), |_, values| {
        with_span(span, (), |dispatch, id| dispatch.record(&id, &Record::new(values)));
    });
}

extern "C" fn enter(span: u64) {
    with_span(span, (), |dispatch, id| dispatch.enter(&id));
}

extern "C" fn exit(span: u64) {
    with_span(span, (), |dispatch, id| dispatch.exit(&id));
}

extern "C" fn clone_span(span: u64) -> u64 {
    with_span(span, span, |dispatch, id| dispatch.clone_span(&id).into_u64())
}

extern "C" fn close_span(span: u64) -> bool {
    with_span(span, false, tracing_core::Dispatch::try_close)
}

extern "C" fn max_level() -> Level {
    match LevelFilter::current() {
        LevelFilter::OFF => Level::OFF,
        LevelFilter::ERROR => Level::ERROR,
        LevelFilter::WARN => Level::WARN,
        LevelFilter::INFO => Level::INFO,
        LevelFilter::DEBUG => Level::DEBUG,
        _ => Level::TRACE,
    }
}

/// Calls with a span's id, unless it is none.
fn with_span<T>(span: u64, otherwise: T, call: impl FnOnce(&tracing_core::Dispatch, Id) -> T) -> T {
    if span == PARENT_NONE || span == 0 {
        return otherwise; // what `new_span` gives for a callsite that is not registered
    }
    shielded(otherwise, || {
        dispatcher::get_default({
            let mut call = Some(call);
            move |dispatch| call.take().map(|call| call(dispatch, Id::from_u64(span)))
        })
    })
}

/// Calls with a plugin's values in `tracing`'s form.
fn with_values<T>(
    callsite: usize,
    values: &[Value<'_>],
    otherwise: T,
    call: impl FnOnce(&'static Metadata<'static>, &ValueSet<'_>) -> T,
) -> T {
    shielded(otherwise, || {
        let metadata = twin(callsite)?.metadata.get()?;
        let held: Vec<Held<'_>> = values.iter().map(Held::from).collect();
        let mut fields: Vec<Option<&dyn tracing_core::field::Value>> =
            held.iter().map(Held::as_value).collect();
        fields.resize(metadata.fields().len(), None);
        Some(call(metadata, &metadata.fields().value_set_all(&fields)))
    })
}

/// A value of a plugin's, where `tracing` can refer to it.
enum Held<'a> {
    Empty,
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
    Str(&'a str),
    Debug(DebugValue<Text<'a>>),
}

impl<'a> From<&'a Value<'_>> for Held<'a> {
    fn from(value: &'a Value<'_>) -> Self {
        match value {
            Value::Empty => Self::Empty,
            Value::I64(value) => Self::I64(*value),
            Value::U64(value) => Self::U64(*value),
            Value::F64(value) => Self::F64(*value),
            Value::Bool(value) => Self::Bool(*value),
            Value::Str(text) => Self::Str(text.as_str()),
            Value::Debug(text) => Self::Debug(debug(Text(text.as_str()))),
        }
    }
}

impl Held<'_> {
    fn to_text(&self) -> Option<String> {
        Some(match self {
            Self::Empty => return None,
            Self::I64(value) => value.to_string(),
            Self::U64(value) => value.to_string(),
            Self::F64(value) => value.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Str(value) => (*value).to_owned(),
            Self::Debug(value) => format!("{value:?}"),
        })
    }

    fn as_value(&self) -> Option<&dyn tracing_core::field::Value> {
        match self {
            Self::Empty => None,
            Self::I64(value) => Some(value),
            Self::U64(value) => Some(value),
            Self::F64(value) => Some(value),
            Self::Bool(value) => Some(value),
            Self::Str(value) => Some(value),
            Self::Debug(value) => Some(value),
        }
    }
}

/// Text that was formatted in the plugin: shown as it is, but for what would begin a line of its own
/// in the log, or move the cursor of whoever reads it.
struct Text<'a>(&'a str);

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive(char::is_control) {
            match part.chars().next_back().filter(|last| last.is_control()) {
                None => f.write_str(part)?,
                Some(last) => {
                    f.write_str(&part[..part.len() - last.len_utf8()])?;
                    write!(f, "{}", last.escape_default())?;
                }
            }
        }
        Ok(())
    }
}
