//! Sinks as they are configured: tables that serde reads, in TOML `[[sink]] kind = "…"`.
//!
//! ```toml
//! [[sink]]
//! kind = "file"                   # fluentd, file, http, stdout or syslog
//! path = "/var/log/audit.ndjson"
//! # for each kind:
//! name = "archive"                # default: the kind
//! window = 8192                   # events that may be on their way to it
//! window-bytes = 33554432         # and their memory
//! dedupe = 0                      # drop what has a uid of the last so many
//! retry-min = "1s"                # back-off
//! retry-max = "10s"
//! ```
//!
//! The keys of each kind are the fields of the `Config` in its module under [`sink`](crate::sink).

mod secret;
pub(crate) mod values;

pub use secret::Secret;

use crate::delivery::{Outlet, Window};
use crate::retry::Retry;
use crate::sink::{Limits, Sink, file, fluentd, http, stdout, syslog};
use serde::Deserialize;
use std::time::Duration;

/// A sink as it is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SinkConfig {
    /// Its name in logs, metrics and the state folder. Default: its kind.
    pub name: Option<String>,
    /// Events that may be on their way to it. Default: 8192.
    pub window: Option<usize>,
    /// The memory that they may take, in bytes. Default: 32 MiB.
    pub window_bytes: Option<usize>,
    /// An event is dropped if its uid is among the last so many of this sink. Default: 0, none is.
    #[serde(default)]
    pub dedupe: usize,
    /// The shortest pause before a sink that fails is tried again. Default: 1s.
    #[serde(default, with = "values::optional_duration")]
    pub retry_min: Option<Duration>,
    /// The longest. Default: 10s.
    #[serde(default, with = "values::optional_duration")]
    pub retry_max: Option<Duration>,
    /// Which sink.
    #[serde(flatten)]
    pub kind: Kind,
}

/// Which sink it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Kind {
    /// Lines of a file.
    File(file::Config),
    /// fluentd, as Teleport's event handler speaks to it.
    Fluentd(fluentd::Config),
    /// Any server that takes events over HTTP.
    Http(Box<http::Config>),
    /// Lines of standard output.
    Stdout(stdout::Config),
    /// A syslog server.
    Syslog(syslog::Config),
}

/// What is wrong with a sink's configuration.
#[derive(Debug, thiserror::Error)]
#[error("sink {sink:?}: {problem}")]
pub struct ConfigError {
    /// Its name.
    pub sink: String,
    /// What to change.
    pub problem: String,
}

impl SinkConfig {
    /// A sink with what is usual for the rest.
    pub fn new(kind: Kind) -> Self {
        let (name, window, window_bytes, retry_min, retry_max) = (None, None, None, None, None);
        Self { name, window, window_bytes, dedupe: 0, retry_min, retry_max, kind }
    }

    /// The sink, opened where it is a file, not yet connected where it is a server. Variables that
    /// secrets are in are looked up with `env`.
    pub fn outlet(self, env: &dyn Fn(&str) -> Option<String>) -> Result<Outlet, ConfigError> {
        let usual = match &self.kind {
            Kind::File(_) => "file",
            Kind::Fluentd(_) => "fluentd",
            Kind::Http(_) => "http",
            Kind::Stdout(_) => "stdout",
            Kind::Syslog(_) => "syslog",
        };
        let name = self.name.unwrap_or_else(|| usual.to_owned());
        let fault = |problem: String| ConfigError { sink: name.clone(), problem };
        let window = Window {
            events: self.window.unwrap_or(Window::default().events),
            bytes: self.window_bytes.unwrap_or(Window::default().bytes),
        };
        if window.events == 0 || window.bytes == 0 {
            return Err(fault("`window` and `window-bytes` are at least 1".to_owned()));
        }
        let retry = Retry {
            least: self.retry_min.unwrap_or(Retry::default().least),
            most: self.retry_max.unwrap_or(Retry::default().most),
        };
        if retry.least.is_zero() || retry.most < retry.least {
            let text = "`retry-min` is more than 0, and `retry-max` (10s unless given) not less";
            return Err(fault(text.to_owned()));
        }
        let sink = open(self.kind, &name, env).map_err(fault)?;
        let Limits { connections, events, bytes } = sink.limits();
        if connections == 0 || events == 0 || bytes == 0 {
            let text = "`batch`, `batch-bytes` and `max-connections` are at least 1";
            return Err(fault(text.to_owned()));
        }
        Ok(Outlet { name, sink, window, retry, dedupe: self.dedupe })
    }
}

fn open(
    kind: Kind,
    name: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Box<dyn Sink>, String> {
    Ok(match kind {
        Kind::File(config) => Box::new(file::File::open(&config)?),
        Kind::Fluentd(config) => {
            for key in &config.unknown {
                tracing::warn!(sink = name, "sink {name:?}: the key {key:?} is not known here");
            }
            Box::new(fluentd::Fluentd::new(&config)?)
        }
        Kind::Http(config) => Box::new(http::Http::new(*config, env)?),
        Kind::Stdout(stdout::Config {}) => Box::new(stdout::Lines::stdout()),
        Kind::Syslog(config) => Box::new(syslog::Syslog::new(&config)?),
    })
}
