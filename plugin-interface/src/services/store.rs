//! The host's store: small values and tokens that outlive a request, shared by all threads.

use super::{HostServices, milliseconds};
use crate::error::Result;
use abi_stable::std_types::RVec;
use std::time::Duration;

/// The store. Keys and scopes are the plugin's own: no other plugin sees them. The calls are short
/// and do not wait for a disk.
impl HostServices {
    /// The value of a key, unless there is none or it has expired.
    pub fn store_get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let value = self.vtable.store_get()(self.context, key.into()).into_result()?;
        Ok(value.into_option().map(RVec::into_vec))
    }

    /// Sets a key; with a time to live it expires by itself.
    pub fn store_set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<()> {
        let ttl = ttl.map_or(0, milliseconds);
        self.vtable.store_set()(self.context, key.into(), value.into(), ttl).into_result()
    }

    /// Removes a key; says whether it was there.
    pub fn store_delete(&self, key: &str) -> Result<bool> {
        self.vtable.store_delete()(self.context, key.into()).into_result()
    }

    /// Adds a token to a scope and says how many of it are alive, the new one included. Each
    /// expires by itself: so one counts what happened within a time.
    pub fn take_token(&self, scope: &str, ttl: Duration) -> Result<u64> {
        self.vtable.take_token()(self.context, scope.into(), milliseconds(ttl)).into_result()
    }

    /// Drops a scope's tokens; says how many there were.
    pub fn release_tokens(&self, scope: &str) -> Result<u64> {
        self.vtable.release_tokens()(self.context, scope.into()).into_result()
    }
}
