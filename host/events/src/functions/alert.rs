//! Alerts.

use super::{Lent, Refusal};
use crate::guest::{self, function};
use crate::pool::SlotState;
use extism::{Error, Function};
use host_lines::on_one_line;
use prost::Message;
use proto::plugin::{Alert, Severity};
use std::sync::Arc;

/// The longest alert, in bytes.
const LONGEST: usize = 64 << 10;

/// Where alerts go. Must not block for long: the call of the plugin waits.
pub trait Alerts: Send + Sync {
    /// Takes an alert of a plugin.
    fn alert(&self, plugin: &str, alert: &Alert);
}

/// Writes alerts to the log.
#[derive(Debug)]
pub struct AlertLog;

impl Alerts for AlertLog {
    fn alert(&self, plugin: &str, alert: &Alert) {
        let severity = severity(alert);
        let metadata = serde_json::to_string(&alert.metadata).unwrap_or_default();
        let message = on_one_line(alert.message.as_bytes(), LONGEST);
        tracing::warn!(target: "alert", plugin, severity, metadata, "{message}");
    }
}

/// The name of an alert's severity.
pub(crate) fn severity(alert: &Alert) -> &'static str {
    Severity::try_from(alert.severity).unwrap_or_default().as_str_name()
}

/// `alert(alert)`: a `plugin.Alert`. It is sent when the call has ended.
pub(super) fn alert(lent: Arc<Lent>, state: Arc<SlotState>) -> Function {
    function("alert", 1, 0, move |plugin, arguments| {
        let bytes = guest::block(plugin, guest::integer(arguments, 0)?)?;
        if bytes.len() > LONGEST {
            let text = format!("an alert of {} bytes is too long: {LONGEST} is most", bytes.len());
            return Err(Refusal::of(text));
        }
        let alert = Alert::decode(&bytes[..]);
        let alert =
            alert.map_err(|error| Error::msg(format!("the alert is no plugin.Alert: {error}")))?;
        let lent = lent.clone();
        state.lock().later(Box::new(move || {
            lent.metrics.alert(severity(&alert));
            lent.services.alerts.alert(&lent.plugin, &alert);
        }))?;
        Ok(None)
    })
}
