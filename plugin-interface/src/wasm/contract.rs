//! What travels, as `wasm.md` has it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

/// The input of a hook.
#[derive(Deserialize)]
pub(super) struct Input {
    pub(super) method: String,
    pub(super) scheme: String,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) peer: SocketAddr,
    pub(super) identity: Option<String>,
    #[serde(default)]
    pub(super) values: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) status: u16,
    /// Of the message in hand.
    pub(super) headers: Vec<(String, Bytes)>,
    /// On the way back: of the request, as the plugin saw it.
    #[serde(default)]
    pub(super) request_headers: Vec<(String, Bytes)>,
    pub(super) slot: Option<Box<RawValue>>,
    pub(super) body: Option<Bytes>,
    #[serde(default)]
    pub(super) body_too_large: bool,
}

/// The output of a hook.
#[derive(Default, Serialize)]
pub(super) struct Answer {
    pub(super) step: StepName,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) remove_headers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) set_headers: Vec<(String, Bytes)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) append_headers: Vec<(String, Bytes)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) set_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) set_target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) set_upstream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) set_status: Option<u16>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) values: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) slot: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_response: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<Reply>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) metrics: Vec<Measurement>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) events: Vec<Box<RawValue>>,
}

#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StepName {
    #[default]
    Next,
    Respond,
    Body,
}

/// The answer in place of the upstream's.
#[derive(Serialize)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Bytes)>,
    pub(super) body: Bytes,
}

/// A metric, and what there is to add to it.
#[derive(Serialize)]
pub(super) struct Measurement {
    #[serde(flatten)]
    pub(super) metric: &'static Metric,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<f64>,
}

#[derive(PartialEq, Serialize)]
pub(super) struct Metric {
    pub(super) kind: MetricKind,
    pub(super) name: String,
    pub(super) help: String,
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// The output of `register`.
#[derive(Serialize)]
pub(super) struct Registration<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) compiler: &'a str,
    pub(super) middleware: &'a str,
    pub(super) values: &'a [String],
    pub(super) metrics: Vec<Measurement>,
}

/// Bytes: a text where they are one, else `{"base64": …}`.
#[derive(Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(&self.0) {
            return to.serialize_str(text);
        }
        let mut map = to.serialize_map(Some(1))?;
        map.serialize_entry("base64", &STANDARD.encode(&self.0))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or {\"base64\": …}")
            }

            fn visit_str<E>(self, text: &str) -> Result<Bytes, E> {
                Ok(Bytes(text.as_bytes().to_vec()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bytes, A::Error> {
                match map.next_entry::<String, String>()? {
                    Some((key, text)) if key == "base64" => {
                        STANDARD.decode(text).map(Bytes).map_err(A::Error::custom)
                    }
                    _ => Err(A::Error::custom("bytes are {\"base64\": …}")),
                }
            }
        }
        from.deserialize_any(Either)
    }
}
