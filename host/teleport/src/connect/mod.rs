//! One connection to the auth server, made anew when it breaks or the credentials change.

mod identity;
mod names;
mod tls;

pub(crate) use identity::Identities;

use crate::backoff::Backoff;
use crate::config::{Config, Timing};
use crate::error::{Error, Failure};
use crate::metrics::Metrics;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::AlertDescription as Alert;
use std::error::Error as StdError;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tonic::body::Body;

/// Bytes that the server may send ahead of us in one stream.
const STREAM_WINDOW: u32 = 1 << 20;

/// And in all of them: as many as HTTP/2 can say (RFC 9113, section 6.9.1). What lies in a stream that
/// nobody reads just now counts here, too: with fewer than all streams may have together, some that wait
/// for others would use up what those others need, and nothing would come any more. The memory is
/// bounded by the streams' own windows.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// The way to the auth server. All calls share its one connection.
#[derive(Debug)]
pub(crate) struct Link {
    addr: String,
    host: String,
    port: u16,
    timing: Timing,
    pub(crate) identities: Identities,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// With the generation of the identity that it was made with.
    connection: Option<(Connection, u64)>,
    backoff: Backoff,
    /// Why there is no connection, and until when nobody tries again: however many calls wait, the
    /// server sees one attempt at a time.
    failed: Option<(Instant, Failure)>,
}

impl Link {
    pub(crate) fn new(config: &Config, metrics: &Metrics) -> Result<Self, Error> {
        let (host, port) = config.host_and_port()?;
        let backoff = Backoff::new(config.timing.retry);
        Ok(Self {
            addr: config.addr.clone(),
            host: host.to_owned(),
            port,
            timing: config.timing,
            identities: Identities::load(config, metrics)?,
            state: Mutex::new(State { connection: None, backoff, failed: None }),
        })
    }

    /// The connection, made if need be.
    pub(crate) async fn connection(&self) -> Result<Connection, Failure> {
        let mut state = self.state.lock().await;
        let identity = self.identities.current();
        if let Some((connection, generation)) = &state.connection
            && *generation == identity.generation
            && !connection.0.is_closed()
        {
            return Ok(connection.clone());
        }
        if let Some((until, failure)) = &state.failed
            && Instant::now() < *until
        {
            return Err(failure.clone());
        }
        // Who uses the old one keeps it until what it does has ended.
        state.connection = None;
        let connecting = self.connect(&identity.tls, identity.name.clone());
        let connected = match timeout(self.timing.connect, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(self.failure(&format!("no connection within {:?}", self.timing.connect))),
        };
        match connected {
            Ok(connection) => {
                state.backoff.reset();
                state.failed = None;
                state.connection = Some((connection.clone(), identity.generation));
                Ok(connection)
            }
            Err(failure) => {
                state.failed = Some((Instant::now() + state.backoff.next(), failure.clone()));
                Err(failure)
            }
        }
    }

    async fn connect(
        &self,
        tls: &Arc<rustls::ClientConfig>,
        name: rustls::pki_types::ServerName<'static>,
    ) -> Result<Connection, Failure> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await;
        let tcp = tcp.map_err(|error| self.failure(&error.to_string()))?;
        // Without these the connection is only slower, or its end is seen later.
        let _ = tcp.set_nodelay(true);
        let tls = TlsConnector::from(tls.clone()).connect(name, tcp).await;
        let tls = tls.map_err(|error| self.broken(&error))?;
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .keep_alive_while_idle(true);
        let (sender, connection) =
            builder.handshake(TokioIo::new(tls)).await.map_err(|error| self.broken(&error))?;
        let addr = self.addr.clone();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("the connection to {addr} ended: {}", with_causes(&error));
            }
        });
        Ok(Connection(sender))
    }

    fn failure(&self, problem: &str) -> Failure {
        Failure::Connect { addr: self.addr.clone(), problem: problem.to_owned() }
    }

    fn broken(&self, error: &(dyn StdError + 'static)) -> Failure {
        let problem = with_causes(error);
        self.certificate(&problem).unwrap_or_else(|| self.failure(&problem))
    }

    /// Whether what went wrong is that one side does not believe the other's certificate. A server
    /// with TLS 1.3 says so only after the handshake, and HTTP/2 keeps no more of it than its text.
    pub(crate) fn certificate(&self, problem: &str) -> Option<Failure> {
        let alerts = [
            Alert::AccessDenied,
            Alert::BadCertificate,
            Alert::CertificateExpired,
            Alert::CertificateRequired,
            Alert::CertificateRevoked,
            Alert::CertificateUnknown,
            Alert::DecryptError,
            Alert::UnknownCA,
            Alert::UnsupportedCertificate,
        ];
        let rejected = |alert: &Alert| problem.contains(&format!("fatal alert: {alert:?}"));
        let ours = alerts.iter().any(rejected);
        let theirs = problem.contains("invalid peer certificate");
        (ours || theirs).then(|| self.not_accepted(problem.to_owned()))
    }

    /// One side does not believe who the other is.
    pub(crate) fn not_accepted(&self, problem: String) -> Failure {
        Failure::Certificate { addr: self.addr.clone(), problem }
    }
}

/// An HTTP/2 connection. Clones are of the same.
#[derive(Clone, Debug)]
pub(crate) struct Connection(SendRequest<Body>);

impl tower_service::Service<http::Request<Body>> for Connection {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// An error with all that was behind it.
pub(crate) fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            let _ = write!(text, ": {more}"); // a String takes everything
        }
        cause = error.source();
    }
    text
}
