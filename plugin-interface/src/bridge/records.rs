//! `log` in the plugin: what libraries that know nothing of `tracing` use.

use super::{Callsite, Level, PARENT_CURRENT, Value};
use crate::services::HostServices;
use abi_stable::std_types::{RSlice, RStr};
use log::{LevelFilter, Log, Metadata, Record};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Forwards records as events. A record has no callsite, so one is made for each level and target.
pub(super) struct Records {
    host: HostServices,
    callsites: RwLock<HashMap<(u8, String), usize>>,
}

impl Records {
    pub(super) fn new(host: HostServices) -> Self {
        Self { host, callsites: RwLock::default() }
    }

    fn callsite(&self, metadata: &Metadata<'_>) -> usize {
        let level = level(metadata.level());
        let key = (level.0, metadata.target().to_owned());
        let callsites = self.callsites.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(callsite) = callsites.get(&key) {
            return *callsite;
        }
        drop(callsites);
        let fields = [RStr::from_str("message")];
        let callsite = Callsite {
            name: "log record".into(),
            target: metadata.target().into(),
            file: RStr::empty(),
            line: 0,
            level,
            is_span: false,
            fields: RSlice::from_slice(&fields),
        };
        let registered = self.host.vtable.log().register()(self.host.context, &callsite);
        let mut callsites = self.callsites.write().unwrap_or_else(PoisonError::into_inner);
        callsites.insert(key, registered.callsite);
        registered.callsite
    }
}

impl Log for Records {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.host.vtable.log().enabled()(self.callsite(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        let callsite = self.callsite(record.metadata());
        if self.host.vtable.log().enabled()(callsite) {
            let text = record.args().to_string();
            let message = [Value::Debug(text.as_str().into())];
            self.host.vtable.log().event()(callsite, PARENT_CURRENT, RSlice::from_slice(&message));
        }
    }

    fn flush(&self) {}
}

fn level(level: log::Level) -> Level {
    match level {
        log::Level::Error => Level::ERROR,
        log::Level::Warn => Level::WARN,
        log::Level::Info => Level::INFO,
        log::Level::Debug => Level::DEBUG,
        log::Level::Trace => Level::TRACE,
    }
}

pub(super) fn max_level(host: HostServices) -> LevelFilter {
    match host.vtable.log().max_level()() {
        Level::OFF => LevelFilter::Off,
        Level::ERROR => LevelFilter::Error,
        Level::WARN => LevelFilter::Warn,
        Level::INFO => LevelFilter::Info,
        Level::DEBUG => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    }
}
