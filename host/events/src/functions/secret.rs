//! Secrets.

use super::Lent;
use crate::guest::{self, function};
use extism::Function;
use std::sync::Arc;

/// `secret_get(name) -> value or 0`: only what the plugin's configuration names.
pub(super) fn get(lent: Arc<Lent>) -> Function {
    function("secret_get", 1, 1, move |plugin, arguments| {
        let name = guest::text(plugin, guest::integer(arguments, 0)?)?;
        let secret = lent.secrets.get(&name).map_or("", String::as_str);
        guest::put(plugin, secret.as_bytes()).map(Some)
    })
}
