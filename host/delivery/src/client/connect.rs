//! Connections to one server, over TCP or TLS.

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A server that does not answer is not waited for as long as the system would.
const LIMIT: Duration = Duration::from_secs(5);

/// Where to connect, and how.
pub(crate) struct Connector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    /// An error says that the host's name cannot be in a certificate.
    pub(crate) fn new(
        host: &str,
        port: u16,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, String> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned(); // IPv6 in a URL
        let tls = tls.map(|config| {
            let name = ServerName::try_from(host.clone());
            let name = name.map_err(|error| format!("{host:?} is no name for TLS: {error}"))?;
            Ok::<_, String>((TlsConnector::from(config), name))
        });
        Ok(Self { tls: tls.transpose()?, host, port })
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The server as the log names it.
    pub(crate) fn name(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Connects. Says whether TLS has negotiated HTTP/2.
    pub(crate) async fn connect(&self) -> io::Result<(Box<dyn Stream>, bool)> {
        let connected = tokio::time::timeout(LIMIT, self.connect_at_leisure()).await;
        connected.unwrap_or_else(|_| {
            let limit = humantime::format_duration(LIMIT);
            let text = format!("it cannot be reached: no connection within {limit}");
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        })
    }

    async fn connect_at_leisure(&self) -> io::Result<(Box<dyn Stream>, bool)> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let because =
            |what: &str, error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"));
        let stream = stream.map_err(|error| because("it cannot be reached", error))?;
        stream.set_nodelay(true)?;
        let Some((connector, name)) = &self.tls else { return Ok((Box::new(stream), false)) };
        let stream = connector.connect(name.clone(), stream).await;
        let stream = stream.map_err(|error| because("TLS failed", error))?;
        let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Box::new(stream), two))
    }
}
