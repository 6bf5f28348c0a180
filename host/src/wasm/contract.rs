//! What travels between host and module, as `plugin-interface/wasm.md` has it: JSON both ways.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plugin_interface::Exchange;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

/// The exports that are called.
pub(super) const REGISTER: &str = "register";
pub(super) const ON_REQUEST: &str = "on_request";
pub(super) const ON_RESPONSE: &str = "on_response";

/// The key of Extism's configuration that has all of the plugin's, as JSON text.
pub(super) const WHOLE_CONFIG: &str = "*";

/// What a hook is told.
#[derive(Serialize)]
pub(super) struct Input<'a> {
    pub(super) method: &'a str,
    pub(super) scheme: &'a str,
    pub(super) authority: &'a str,
    pub(super) path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) query: Option<&'a str>,
    pub(super) peer: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) values: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    pub(super) headers: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_headers: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) slot: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) body_too_large: bool,
}

/// The headers of the message in hand, written without a copy of them.
pub(super) struct Headers<'a, 'b>(pub(super) &'a Exchange<'b>);

impl Serialize for Headers<'_, '_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(None)?;
        let mut written = Ok(());
        self.0.each_header(|name, value| {
            written = list.serialize_element(&(name, Bytes(Cow::Borrowed(value))));
            written.is_ok()
        });
        written?;
        list.end()
    }
}

/// What a hook says. Keys that are not known here are ignored.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) step: StepName,
    pub(super) remove_headers: Vec<String>,
    pub(super) set_headers: Vec<(String, Bytes<'static>)>,
    pub(super) append_headers: Vec<(String, Bytes<'static>)>,
    pub(super) set_method: Option<String>,
    pub(super) set_target: Option<String>,
    pub(super) set_upstream: Option<String>,
    pub(super) set_status: Option<u16>,
    pub(super) values: BTreeMap<String, String>,
    pub(super) slot: Option<Box<RawValue>>,
    pub(super) on_response: Option<bool>,
    pub(super) body: Option<Bytes<'static>>,
    pub(super) response: Option<Reply>,
    pub(super) metrics: Vec<Measurement>,
    pub(super) events: Vec<Box<RawValue>>,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StepName {
    #[default]
    Next,
    Respond,
    Body,
}

/// An answer in place of the upstream's.
#[derive(Deserialize)]
pub(super) struct Reply {
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: Vec<(String, Bytes<'static>)>,
    #[serde(default)]
    pub(super) body: Bytes<'static>,
}

/// A metric, and what there is to add to it.
#[derive(Deserialize)]
pub(super) struct Measurement {
    pub(super) kind: MetricKind,
    pub(super) name: String,
    #[serde(default)]
    pub(super) help: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: Option<f64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// What a module says of itself, if it exports `register`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Registration {
    pub(super) name: Option<String>,
    pub(super) version: String,
    pub(super) compiler: String,
    pub(super) middleware: Option<String>,
    /// The keys of the values that it reads.
    pub(super) values: Vec<String>,
    pub(super) metrics: Vec<Measurement>,
}

/// Bytes: a text where they are one, else `{"base64": …}`.
#[derive(Default)]
pub(super) struct Bytes<'a>(pub(super) Cow<'a, [u8]>);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(&self.0) {
            return to.serialize_str(text);
        }
        let mut map = to.serialize_map(Some(1))?;
        map.serialize_entry("base64", &STANDARD.encode(&self.0))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Bytes<'static> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextOrBase64)
    }
}

struct TextOrBase64;

impl<'de> Visitor<'de> for TextOrBase64 {
    type Value = Bytes<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or {\"base64\": …}")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Bytes(Cow::Owned(text.as_bytes().to_vec())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Bytes(Cow::Owned(text.into_bytes())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut bytes = None;
        while let Some((key, text)) = map.next_entry::<String, String>()? {
            if key == "base64" {
                let decoded = STANDARD.decode(text);
                bytes = Some(
                    decoded
                        .map_err(|error| A::Error::custom(format_args!("not base64: {error}")))?,
                );
            }
        }
        let missing = || A::Error::custom("bytes are a text or {\"base64\": …}");
        bytes.map(|bytes| Bytes(Cow::Owned(bytes))).ok_or_else(missing)
    }
}
