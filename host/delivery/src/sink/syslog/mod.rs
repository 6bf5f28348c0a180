//! Syslog over TCP or TLS: RFC 5424 messages, each with its length before it (RFC 6587, section 3.4.1;
//! over TLS RFC 5425).
//!
//! Syslog has no acknowledgement: an event counts as delivered when the kernel has taken it. What a
//! server that goes away had not read by then would be lost without a sign, so the last messages
//! written before a connection broke are written again to the next one ([`Config::resend`]). The
//! server may therefore see some events twice, and one that goes down without a sound, or for longer
//! than this program lives, may still lose some. Where that matters take `kind = "http"`.

mod link;
mod message;

use super::{Delivering, Failure, Limits, Sink};
use crate::client::{Connector, TlsFiles, client_config};
use crate::config::values;
use crate::event::Event;
use link::{Link, Written};
use message::Format;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The keys of `kind = "syslog"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// `HOST:PORT`. Usual ports: 514 or 601, with TLS 6514.
    pub address: String,
    /// Whether it is TLS. Default: false, but true with any of the next three.
    pub tls: Option<bool>,
    /// Whom to trust. Default: the system's authorities.
    pub ca: Option<PathBuf>,
    /// Our certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The facility, 0 to 23. Default: 13, log audit.
    #[serde(default = "facility")]
    pub facility: u8,
    /// HOSTNAME. Default: none (`-`).
    pub hostname: Option<String>,
    /// APP-NAME. Default: `teleport`.
    #[serde(default = "app_name")]
    pub app_name: String,
    /// The SD-ID of the element with an event's uid, type and session. Default: `teleport@32473`, the
    /// number that RFC 5612 keeps for those without one of their own.
    #[serde(default = "structured_data_id")]
    pub structured_data_id: String,
    /// So many of the last messages are written again after a connection broke. Default: 100.
    #[serde(default = "resend")]
    pub resend: usize,
    /// How long writing may take. Default: 10s.
    #[serde(default = "values::timeout", with = "values::duration")]
    pub timeout: Duration,
}

const fn facility() -> u8 {
    13
}

fn app_name() -> String {
    "teleport".to_owned()
}

fn structured_data_id() -> String {
    "teleport@32473".to_owned()
}

const fn resend() -> usize {
    100
}

impl Config {
    /// With what is usual for the rest.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            tls: None,
            ca: None,
            cert: None,
            key: None,
            facility: facility(),
            hostname: None,
            app_name: app_name(),
            structured_data_id: structured_data_id(),
            resend: resend(),
            timeout: values::timeout(),
        }
    }
}

/// Sends events to a syslog server.
pub struct Syslog {
    connector: Connector,
    format: Format,
    timeout: Duration,
    state: tokio::sync::Mutex<State>,
}

struct State {
    link: Option<Link>,
    written: Written,
}

impl Syslog {
    /// An error says what is wrong with the configuration. Nothing is connected yet.
    pub fn new(config: &Config) -> Result<Self, String> {
        let fault = || format!("address: {:?} is not HOST:PORT", config.address);
        let (host, port) = config.address.rsplit_once(':').ok_or_else(fault)?;
        let port = port.parse().map_err(|_| fault())?;
        if host.is_empty() {
            return Err(fault());
        }
        let files = TlsFiles {
            ca: config.ca.as_deref(),
            cert: config.cert.as_deref(),
            key: config.key.as_deref(),
        };
        let tls = match config.tls {
            Some(false) if !files.is_empty() => {
                return Err("ca, cert and key are for TLS, and `tls` is false".to_owned());
            }
            Some(true) => true,
            _ => !files.is_empty(),
        };
        let certificate = files.certificate()?;
        let tls = tls.then(|| client_config(files.ca, certificate, &[])).transpose()?;
        let connector = Connector::new(host, port, tls)?;
        let written = Written::new(config.resend);
        Ok(Self {
            connector,
            timeout: config.timeout,
            format: Format::new(config)?,
            state: tokio::sync::Mutex::new(State { link: None, written }),
        })
    }

    async fn write(&self, state: &mut State, events: &[Arc<Event>]) -> std::io::Result<()> {
        let link = match &mut state.link {
            Some(link) => link,
            None => state.link.insert(Link::open(&self.connector).await?),
        };
        let again = state.written.again().len();
        let mut bytes = Vec::new();
        for event in state.written.again().iter().chain(events) {
            self.format.write(event, &mut bytes);
        }
        link.write(&bytes).await?;
        if again > 0 {
            let server = self.connector.name();
            tracing::info!(
                "{server}: {again} messages were written again after the connection broke"
            );
        }
        state.written.add(events);
        Ok(())
    }

    async fn send(&self, events: &[Arc<Event>]) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        let broke = state.link.as_ref().and_then(Link::broke);
        if let Some(at) = broke {
            state.link = None;
            state.written.lost(at);
        }
        let written = tokio::time::timeout(self.timeout, self.write(&mut state, events)).await;
        let problem = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                let limit = humantime::format_duration(self.timeout);
                format!("it has not taken messages for {limit}")
            }
        };
        if let Some(link) = state.link.take() {
            let at = link.broke().unwrap_or_else(std::time::Instant::now);
            state.written.lost(at);
        }
        Err(Failure::passing(format!("{}: {problem}", self.connector.name())))
    }
}

impl Sink for Syslog {
    fn deliver<'a>(&'a self, events: &'a [Arc<Event>]) -> Delivering<'a> {
        Box::pin(self.send(events))
    }

    fn limits(&self) -> Limits {
        Limits { connections: 1, events: 256, bytes: 1 << 20 }
    }
}
