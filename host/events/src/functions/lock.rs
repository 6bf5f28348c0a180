//! Locks.

use super::{Lent, Refusal};
use crate::guest::{self, function};
use crate::store::StoreError;
use extism::{Error, Function};
use prost::Message;
use proto::types::LockV2;
use std::sync::Arc;

/// `lock_upsert(lock)`: a `types.LockV2`. Made again, under the same name, it is renewed.
pub(super) fn upsert(lent: Arc<Lent>) -> Function {
    function("lock_upsert", 1, 0, move |plugin, arguments| {
        let bytes = guest::block(plugin, guest::integer(arguments, 0)?)?;
        let lock = LockV2::decode(&bytes[..]);
        let mut lock =
            lock.map_err(|error| Error::msg(format!("the lock is no types.LockV2: {error}")))?;
        let spec = lock.spec.get_or_insert_default();
        if spec.created_by.is_empty() {
            spec.created_by = format!("event plugin {}", lent.plugin);
        }
        let target = spec.target.clone().unwrap_or_default();
        let (user, login, told) = (target.user, target.login, spec.message.clone());
        let plugin = &*lent.plugin;
        match lent.services.locks.upsert(lock) {
            // It is in force, and the store goes on trying: no fault of the plugin's.
            Err(error @ StoreError::NotSaved(_)) => tracing::error!(plugin, "{error}"),
            other => other.map_err(Refusal::of)?,
        }
        tracing::warn!(plugin, user, login, told, "an event plugin has locked somebody out");
        Ok(None)
    })
}
