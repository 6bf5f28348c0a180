//! The host functions that event plugins import, in the namespace of every PDK's own functions
//! (`extism:host/user`). Numbers are 64-bit integers; bytes travel as offsets of Extism's memory.

mod alert;
mod clock;
mod lock;
mod secret;
mod store;

pub use alert::{AlertLog, Alerts};
pub(crate) use store::Space;

use crate::locks::Locks;
use crate::metrics::PluginMetrics;
use crate::pool::SlotState;
use crate::store::Store;
use extism::{Error, Function};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the host has for all event plugins. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// Their tokens and values.
    pub store: Arc<dyn Store>,
    /// The locks they make.
    pub locks: Arc<dyn Locks>,
    /// Where their alerts go.
    pub alerts: Arc<dyn Alerts>,
}

/// What the host lends to one plugin.
pub(crate) struct Lent {
    pub(crate) plugin: Arc<str>,
    pub(crate) services: Services,
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) metrics: PluginMetrics,
}

/// The host declined what a plugin asked for: it is not the plugin that is broken.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refusal(pub(crate) String);

impl Refusal {
    fn of(error: impl std::fmt::Display) -> Error {
        Error::new(Self(error.to_string()))
    }
}

/// The functions for a slot.
pub(crate) fn functions(lent: &Arc<Lent>, state: &Arc<SlotState>) -> Vec<Function> {
    let others = [
        lock::upsert(lent.clone()),
        alert::alert(lent.clone(), state.clone()),
        secret::get(lent.clone()),
    ];
    let space = Space { store: lent.services.store.clone(), name: lent.plugin.clone() };
    counting(&space, state).into_iter().chain(others).collect()
}

/// Those that any plugin may have: the store, time and chance.
pub(crate) fn counting(space: &Space, state: &Arc<SlotState>) -> Vec<Function> {
    store::functions(space, state).into_iter().chain(clock::functions()).collect()
}
