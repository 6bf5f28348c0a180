//! `tracing` in the plugin.

use super::{Callsite, Interest, Level, PARENT_CURRENT, PARENT_NONE, Value};
use crate::services::HostServices;
use abi_stable::std_types::{RSlice, RStr};
use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::sync::{PoisonError, RwLock};
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, LevelFilter, Metadata, Subscriber};

/// Forwards everything to the host.
pub(super) struct Bridge {
    host: HostServices,
    /// The host's number of each callsite, by the address of its metadata.
    callsites: RwLock<HashMap<usize, usize>>,
    /// The callsite of each open span, for values recorded later.
    spans: RwLock<HashMap<u64, (usize, usize)>>,
}

impl Bridge {
    pub(super) fn new(host: HostServices) -> Self {
        Self { host, callsites: RwLock::default(), spans: RwLock::default() }
    }

    fn callsite(&self, metadata: &'static Metadata<'static>) -> Option<usize> {
        let callsites = self.callsites.read().unwrap_or_else(PoisonError::into_inner);
        callsites.get(&address(metadata)).copied()
    }
}

fn address(metadata: &'static Metadata<'static>) -> usize {
    std::ptr::from_ref(metadata).addr()
}

pub(super) fn level(level: tracing_core::Level) -> Level {
    match level {
        tracing_core::Level::ERROR => Level::ERROR,
        tracing_core::Level::WARN => Level::WARN,
        tracing_core::Level::INFO => Level::INFO,
        tracing_core::Level::DEBUG => Level::DEBUG,
        _ => Level::TRACE,
    }
}

impl Subscriber for Bridge {
    fn register_callsite(
        &self,
        metadata: &'static Metadata<'static>,
    ) -> tracing_core::subscriber::Interest {
        let fields: Vec<RStr<'_>> = metadata.fields().iter().map(|f| f.name().into()).collect();
        let callsite = Callsite {
            name: metadata.name().into(),
            target: metadata.target().into(),
            file: metadata.file().unwrap_or_default().into(),
            line: metadata.line().unwrap_or_default(),
            level: level(*metadata.level()),
            is_span: metadata.is_span(),
            fields: RSlice::from_slice(&fields),
        };
        let registered = self.host.vtable.log().register()(self.host.context, &callsite);
        let mut callsites = self.callsites.write().unwrap_or_else(PoisonError::into_inner);
        callsites.insert(address(metadata), registered.callsite);
        match registered.interest {
            Interest::NEVER => tracing_core::subscriber::Interest::never(),
            Interest::ALWAYS => tracing_core::subscriber::Interest::always(),
            _ => tracing_core::subscriber::Interest::sometimes(),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.host.vtable.log().max_level()() {
            Level::OFF => LevelFilter::OFF,
            Level::ERROR => LevelFilter::ERROR,
            Level::WARN => LevelFilter::WARN,
            Level::INFO => LevelFilter::INFO,
            Level::DEBUG => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Only looked up: an address that is not a registered callsite's is not in the map.
        let address = std::ptr::from_ref(metadata).cast::<()>().addr();
        let callsites = self.callsites.read().unwrap_or_else(PoisonError::into_inner);
        callsites.get(&address).is_none_or(|id| self.host.vtable.log().enabled()(*id))
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let parent = match span.parent() {
            Some(parent) => parent.into_u64(),
            None if span.is_root() => PARENT_NONE,
            None => PARENT_CURRENT,
        };
        let metadata = span.metadata();
        let Some(callsite) = self.callsite(metadata) else { return Id::from_u64(PARENT_NONE) };
        let mut values = Values::new(metadata.fields().len());
        span.record(&mut values);
        let log = self.host.vtable.log();
        let id = values.lend(|values| log.new_span()(callsite, parent, values));
        let mut spans = self.spans.write().unwrap_or_else(PoisonError::into_inner);
        spans.insert(id, (callsite, metadata.fields().len()));
        // 0 is not an Id; the host gives it only when it has no subscriber.
        Id::from_u64(if id == 0 { PARENT_NONE } else { id })
    }

    fn record(&self, span: &Id, record: &Record<'_>) {
        let spans = self.spans.read().unwrap_or_else(PoisonError::into_inner);
        let Some((callsite, fields)) = spans.get(&span.into_u64()).copied() else { return };
        drop(spans);
        let mut values = Values::new(fields);
        record.record(&mut values);
        let log = self.host.vtable.log();
        values.lend(|values| log.record()(callsite, span.into_u64(), values));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let parent = match event.parent() {
            Some(parent) => parent.into_u64(),
            None if event.is_root() => PARENT_NONE,
            None => PARENT_CURRENT,
        };
        let metadata = event.metadata();
        let Some(callsite) = self.callsite(metadata) else { return };
        let mut values = Values::new(metadata.fields().len());
        event.record(&mut values);
        let log = self.host.vtable.log();
        values.lend(|values| log.event()(callsite, parent, values));
    }

    fn enter(&self, span: &Id) {
        self.host.vtable.log().enter()(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        self.host.vtable.log().exit()(span.into_u64());
    }

    fn clone_span(&self, span: &Id) -> Id {
        Id::from_u64(self.host.vtable.log().clone_span()(span.into_u64()))
    }

    fn try_close(&self, span: Id) -> bool {
        let closed = self.host.vtable.log().close_span()(span.into_u64());
        if closed {
            let mut spans = self.spans.write().unwrap_or_else(PoisonError::into_inner);
            spans.remove(&span.into_u64());
        }
        closed
    }
}

/// The values of one event, by the index of their fields. Text is collected in one buffer, since
/// what a visitor sees does not outlive its call.
struct Values {
    values: Vec<Kept>,
    text: String,
}

#[derive(Clone)]
enum Kept {
    Value(Value<'static>),
    Str(std::ops::Range<usize>),
    Debug(std::ops::Range<usize>),
}

impl Values {
    fn new(fields: usize) -> Self {
        Self { values: vec![Kept::Value(Value::Empty); fields], text: String::new() }
    }

    fn put(&mut self, field: &Field, value: Kept) {
        if let Some(place) = self.values.get_mut(field.index()) {
            *place = value;
        }
    }

    fn lend<T>(&self, call: impl FnOnce(RSlice<'_, Value<'_>>) -> T) -> T {
        let text = |range: &std::ops::Range<usize>| RStr::from(&self.text[range.clone()]);
        let value = |kept: &Kept| match kept {
            Kept::Value(value) => *value,
            Kept::Str(range) => Value::Str(text(range)),
            Kept::Debug(range) => Value::Debug(text(range)),
        };
        let values: Vec<Value<'_>> = self.values.iter().map(value).collect();
        call(RSlice::from_slice(&values))
    }
}

impl Visit for Values {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Kept::Value(Value::I64(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Kept::Value(Value::U64(value)));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Kept::Value(Value::F64(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Kept::Value(Value::Bool(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let start = self.text.len();
        self.text.push_str(value);
        self.put(field, Kept::Str(start..self.text.len()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let start = self.text.len();
        let _ = write!(self.text, "{value:?}");
        self.put(field, Kept::Debug(start..self.text.len()));
    }
}
