//! Takes new keys into use when their file changes.

use crate::config::Config;
use crate::keys::Keys;
use arc_swap::ArcSwap;
use plugin_interface::{HostServices, Result, tracing};
use std::sync::Weak;
use std::time::Duration;

/// How long a key that was taken out of the file is still good.
const EVERY: Duration = Duration::from_secs(1);

/// Looks at the file again and again, for as long as `keys` are in use. It is small, and so compared
/// as a whole: a time of modification does not tell of a second change within its resolution, nor
/// of another file behind a symbolic link. Reading it takes microseconds of the host's thread.
pub(crate) async fn watch(
    host: HostServices,
    config: Config,
    mut seen: Vec<u8>,
    keys: Weak<ArcSwap<Keys>>,
) -> Result<()> {
    let path = config.jwks_file.display();
    let mut readable = true;
    loop {
        host.sleep(EVERY).await;
        let Some(keys) = keys.upgrade() else { return Ok(()) };
        let text = match std::fs::read(&config.jwks_file) {
            Ok(text) => text,
            Err(error) => {
                if readable {
                    tracing::warn!(%path, %error, "cannot read the keys; the old ones stay");
                }
                readable = false;
                continue;
            }
        };
        readable = true;
        if text == seen {
            continue;
        }
        match Keys::parse(&text, &config) {
            Ok(new) => {
                tracing::info!(%path, keys = new.len(), "new keys are in use");
                keys.store(new.into());
            }
            Err(error) => tracing::warn!(%path, %error, "bad keys; the old ones stay"),
        }
        seen = text;
    }
}
