//! Alerts as lines of a file (NDJSON).

use anyhow::{Context, Result};
use host_events::sink::{Rotating, Rotation};
use host_events::{AlertLog, Alerts};
use proto::plugin::Alert;
use serde_json::json;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Writes alerts to the log, and into a file for whatever watches it.
pub(super) struct AlertFile(Mutex<Rotating>);

impl AlertFile {
    pub(super) fn open(path: &Path, rotation: Rotation) -> Result<Self> {
        let file = Rotating::open(path, rotation)
            .with_context(|| format!("--alerts {} cannot be written", path.display()))?;
        Ok(Self(Mutex::new(file)))
    }
}

impl Alerts for AlertFile {
    fn alert(&self, plugin: &str, alert: &Alert) {
        AlertLog.alert(plugin, alert);
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let line = json!({
            "event": alert.event.as_ref().and_then(|event| event.metadata()).map(|it| &it.id),
            "message": alert.message,
            "metadata": alert.metadata,
            "plugin": plugin,
            "severity": alert.severity().as_str_name(),
            "time": time,
        });
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.append(format!("{line}\n").as_bytes()) {
            tracing::error!("the alert is lost to {}: {error}", file.path().display());
        }
    }
}
