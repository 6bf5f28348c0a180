//! Any server that takes events over HTTP: many in a request, in one of several forms.
//!
//! ```toml
//! [[sink]]
//! kind = "http"
//! url = "https://splunk:8088/services/collector/event"
//! body = "splunk"       # json-lines (usual), json-array, splunk, loki, elastic
//! headers.Authorization = { env = "SPLUNK_TOKEN", prefix = "Splunk " }
//! splunk.sourcetype = "teleport"
//! ```
//!
//! A 2xx means that the events have arrived, unless the form knows more about the answer.

pub mod elastic;
mod json;
pub mod loki;
pub mod splunk;

use super::{Delivering, Failure, Limits, Sink};
use crate::client::{Answer, Endpoint, TlsFiles};
use crate::config::{Secret, values};
use crate::event::Event;
use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The keys of `kind = "http"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Where events go.
    pub url: String,
    /// With which method. Default: POST.
    pub method: Option<String>,
    /// The form of a request's body. Default: json-lines.
    #[serde(default)]
    pub body: BodyForm,
    /// Further headers. Secrets are best in a file or the environment.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Events in a request. Default: 500.
    #[serde(default = "batch")]
    pub batch: usize,
    /// Bytes of events in a request, before compression. Default: 1 MiB.
    #[serde(default = "values::batch_bytes")]
    pub batch_bytes: usize,
    /// Requests at a time. Default: 1, which keeps the order of events.
    #[serde(default = "max_connections")]
    pub max_connections: usize,
    /// Whether bodies are compressed. Default: false.
    #[serde(default)]
    pub gzip: bool,
    /// How long a request may take. Default: 10s.
    #[serde(default = "values::timeout", with = "values::duration")]
    pub timeout: Duration,
    /// Whom to trust. Default: the system's authorities.
    pub ca: Option<PathBuf>,
    /// Our certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// For `body = "splunk"`.
    pub splunk: Option<splunk::Options>,
    /// For `body = "loki"`.
    pub loki: Option<loki::Options>,
    /// For `body = "elastic"`.
    pub elastic: Option<elastic::Options>,
}

const fn batch() -> usize {
    500
}

const fn max_connections() -> usize {
    1
}

/// The form of a request's body.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum BodyForm {
    /// An event a line, `application/x-ndjson`.
    #[default]
    JsonLines,
    /// A JSON array of events.
    JsonArray,
    /// Splunk's HTTP event collector.
    Splunk,
    /// Grafana Loki's push API.
    Loki,
    /// The bulk API of Elasticsearch and `OpenSearch`.
    Elastic,
}

/// Makes bodies, and reads answers.
trait Form: Send + Sync {
    fn content_type(&self) -> &'static str;

    /// Appends the body for these events.
    fn write(&self, events: &[Arc<Event>], body: &mut Vec<u8>);

    /// What an answer says about so many events.
    fn judge(&self, answer: &Answer, events: usize) -> Result<(), Failure> {
        let _ = events;
        if answer.status.is_success() { Ok(()) } else { Err(answer.failure()) }
    }
}

/// Sends events over HTTP.
pub struct Http {
    endpoint: Endpoint,
    form: Box<dyn Form>,
    gzip: bool,
    limits: Limits,
}

impl Http {
    /// An error says what is wrong with the configuration. Nothing is connected yet.
    pub fn new(config: Config, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let tls = TlsFiles {
            ca: config.ca.as_deref(),
            cert: config.cert.as_deref(),
            key: config.key.as_deref(),
        };
        let mut endpoint = Endpoint::new(&config.url, tls, config.timeout)?;
        if let Some(method) = &config.method {
            let parsed = method.parse();
            endpoint.set_method(parsed.map_err(|_| format!("{method:?} is no HTTP method"))?);
        }
        let form = form(&config)?;
        let headers = endpoint.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
        if config.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        for (name, secret) in config.headers {
            let fault = |problem: String| format!("header {name}: {problem}");
            let value = secret.value(env).map_err(fault)?;
            let parsed: HeaderName =
                name.parse().map_err(|_| fault("this is no name of a header".to_owned()))?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| {
                fault("its value has characters that no header can have".to_owned())
            })?;
            value.set_sensitive(true);
            headers.insert(parsed, value);
        }
        let limits = Limits {
            connections: config.max_connections,
            events: config.batch,
            bytes: config.batch_bytes,
        };
        Ok(Self { endpoint, form, gzip: config.gzip, limits })
    }

    async fn send(&self, events: &[Arc<Event>]) -> Result<(), Failure> {
        let mut body = Vec::new();
        self.form.write(events, &mut body);
        let body = match self.gzip {
            true => compress(body).await.map_err(Failure::passing)?,
            false => body.into(),
        };
        let answer = self.endpoint.send(body).await.map_err(Failure::passing)?;
        self.form.judge(&answer, events.len())
    }
}

impl Sink for Http {
    fn deliver<'a>(&'a self, events: &'a [Arc<Event>]) -> Delivering<'a> {
        Box::pin(self.send(events))
    }

    fn limits(&self) -> Limits {
        self.limits
    }
}

fn form(config: &Config) -> Result<Box<dyn Form>, String> {
    let Config { body, splunk, loki, elastic, .. } = config;
    for (form, name, given) in [
        (BodyForm::Splunk, "splunk", splunk.is_some()),
        (BodyForm::Loki, "loki", loki.is_some()),
        (BodyForm::Elastic, "elastic", elastic.is_some()),
    ] {
        if given && form != *body {
            return Err(format!("`{name}` is for `body = {name:?}`, which is not asked for"));
        }
    }
    Ok(match body {
        BodyForm::JsonLines => Box::new(json::Lines),
        BodyForm::JsonArray => Box::new(json::Array),
        BodyForm::Splunk => Box::new(splunk::Splunk::new(splunk.as_ref())),
        BodyForm::Loki => Box::new(loki::Loki::new(loki.clone().unwrap_or_default())),
        BodyForm::Elastic => Box::new(elastic::Elastic::new(elastic.clone().unwrap_or_default())),
    })
}

/// On a thread that may be busy for a while.
async fn compress(body: Vec<u8>) -> Result<Bytes, String> {
    let compressed = tokio::task::spawn_blocking(move || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body)?;
        encoder.finish()
    });
    let compressed = compressed.await.map_err(|error| error.to_string())?;
    compressed.map(Bytes::from).map_err(|error| format!("it cannot be compressed: {error}"))
}
