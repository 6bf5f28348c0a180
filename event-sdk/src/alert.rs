//! Alerts: something that people should look at.

use crate::{Event, host};
use prost::Message;
use proto::plugin::Severity;
use std::collections::BTreeMap;

/// An alert with this message; [`send`](Alert::send) sends it.
///
/// ```
/// # use event_sdk::{Event, Severity};
/// # fn example(event: &Event<'_>) {
/// event_sdk::alert(Severity::High, "Suspicious login activity")
///     .event(event)
///     .field("attempts", 4)
///     .send();
/// # }
/// ```
pub fn alert(severity: Severity, message: impl Into<String>) -> Alert {
    let fields = Fields { message: message.into(), severity: severity.into(), ..Fields::default() };
    Alert(fields)
}

/// An alert that has not been sent yet.
#[must_use = "an alert goes nowhere until it is sent"]
#[derive(Clone, Debug)]
pub struct Alert(Fields);

impl Alert {
    /// With the event that gave rise to it.
    pub fn event(mut self, event: &Event<'_>) -> Self {
        let mut bytes = Vec::with_capacity(event.encoded_len());
        event.encode(&mut bytes);
        self.0.event = bytes;
        self
    }

    /// With one more detail.
    #[allow(clippy::needless_pass_by_value)] // for `.field("attempts", 4)`
    pub fn field(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.0.metadata.insert(name.into(), value.to_string());
        self
    }

    /// Sends it: to the log, the metrics and wherever the host's configuration says.
    pub fn send(self) {
        host::alert(&self.0.encode_to_vec());
    }
}

/// `plugin.Alert` on the wire, where bytes are as good as a message: a plugin that sends alerts need
/// not carry the code that encodes every type of event.
#[derive(Clone, PartialEq, prost::Message)]
struct Fields {
    #[prost(string, tag = "1")]
    message: String,
    #[prost(bytes = "vec", tag = "2")]
    event: Vec<u8>,
    #[prost(btree_map = "string, string", tag = "3")]
    metadata: BTreeMap<String, String>,
    #[prost(enumeration = "Severity", tag = "4")]
    severity: i32,
}
