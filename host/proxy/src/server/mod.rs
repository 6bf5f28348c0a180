//! The server: connections in, and their end.

mod timed;
mod tls;

pub use tls::Tls;

use crate::body::with_causes;
use crate::phase::Phase;
use crate::service::{Connection, Proxy};
use crate::wire::Guard;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::SockRef;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use timed::Timed;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On every address of the machine, IPv6 and IPv4.
    Everywhere(u16),
    /// On this one.
    At(SocketAddr),
}

impl std::str::FromStr for Listen {
    type Err = String;

    /// Reads `:9090`, `9090` or `127.0.0.1:9090`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse() {
            return Ok(Self::Everywhere(port));
        }
        let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let address = named.as_deref().unwrap_or(text).parse();
        address.map(Self::At).map_err(|_| {
            format!("{text:?} is nowhere to listen; write :9090, 127.0.0.1:9090 or [::1]:9090")
        })
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everywhere(port) => write!(f, ":{port}"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl Listen {
    /// Opens the port. A machine without IPv6 gets IPv4 only.
    pub async fn bind(self) -> io::Result<TcpListener> {
        let port = match self {
            Self::At(address) => return TcpListener::bind(address).await,
            Self::Everywhere(port) => port,
        };
        match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
            }
            bound => bound,
        }
    }
}

/// How a server has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything under way was ended.
    Whole,
    /// The time was over; so many connections were cut off.
    CutOff(usize),
}

/// The connections that came last have so long to send their request: one that is told to end
/// before it has sent anything is closed at once.
const LAST_REQUESTS: Duration = Duration::from_millis(100);

/// So often a server that retires looks whether everybody has left.
const LOOK: Duration = Duration::from_millis(20);

/// Closes the port, and returns the connections that waited behind it: the system would reset them.
///
/// Asks the system itself: tokio only knows of connections that its reactor has been told of. Even
/// so those are lost that come between the last look and the end; no system call does both.
fn last_connections(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let mut last = Vec::new();
    while let Ok(connection) = listener.accept() {
        last.push(connection);
    }
    drop(listener);
    let taken = last.into_iter().filter_map(|(stream, peer)| {
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    });
    taken.collect()
}

/// Takes connections, and ends them in an orderly way.
pub struct Server {
    proxy: Arc<Proxy>,
    tls: Option<Arc<Tls>>,
    builder: Arc<Builder<TokioExecutor>>,
    graceful: GracefulShutdown,
}

impl Server {
    /// A server that takes no connections yet.
    pub fn new(proxy: Arc<Proxy>, tls: Option<Arc<Tls>>) -> Self {
        let builder = Arc::new(builder(&proxy));
        Self { proxy, tls, builder, graceful: GracefulShutdown::new() }
    }

    /// Says that the host serves, for those who are told so before [`Server::serve`] runs: what connects
    /// until then waits in the system's queue.
    pub fn ready(&self) {
        self.proxy.enter(Phase::Serving);
    }

    /// Serves connections from `listener` until something happens, which it returns. Connections that
    /// were taken are served on; others wait in the system's queue until this is called again.
    pub async fn serve<T>(&self, listener: &TcpListener, until: impl Future<Output = T>) -> T {
        self.ready();
        tokio::select! {
            never = self.accept(listener) => match never {},
            happened = until => happened,
        }
    }

    /// Drains:
    ///
    /// 1. For the delay of the configuration connections are still taken, and every answer says that
    ///    it is the last one on its connection. So no client that keeps connections open sends a
    ///    request into one that is being closed.
    /// 2. Connections that are waiting to be taken are taken, the port is closed, and what is under
    ///    way has the configured time to end.
    pub async fn drain(self, listener: TcpListener) -> Drained {
        let drain = self.proxy.config.drain;
        self.proxy.enter(Phase::Draining);
        tokio::select! {
            never = self.accept(&listener) => match never {},
            () = tokio::time::sleep(drain.delay) => {}
        }
        for (stream, peer) in last_connections(listener) {
            self.take(stream, peer);
        }
        tokio::time::sleep(LAST_REQUESTS).await;
        self.end(drain.timeout).await
    }

    /// Drains while another process takes connections from the same socket: nothing is closed that a
    /// client could still use. Every answer says that it is the last one on its connection, and one
    /// that is idle ends when it would have ended anyway, or when there is a `hurry`.
    pub async fn retire(self, hurry: impl Future<Output = ()>) -> Drained {
        self.proxy.enter(Phase::Draining);
        let ended = async {
            while self.graceful.count() + self.proxy.tunnels.len() > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = ended => {}
            () = tokio::time::sleep(self.proxy.config.timeouts.header) => {}
            () = hurry => {}
        }
        let timeout = self.proxy.config.drain.timeout;
        self.end(timeout).await
    }

    async fn accept(&self, listener: &TcpListener) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.take(stream, peer),
                // Of that connection, or too many files are open: either way others may follow.
                Err(error) => {
                    tracing::warn!("a connection was not taken: {error}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let _ = stream.set_nodelay(true);
        // So that a tunnel ends whose client has lost its network.
        let _ = SockRef::from(&stream).set_keepalive(true);
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let (proxy, builder) = (self.proxy.clone(), self.builder.clone());
        let (tls, watcher) = (self.tls.as_ref().map(|tls| tls.config()), self.graceful.watcher());
        tokio::spawn(async move {
            let traffic = proxy.traffic.clone();
            let connection = |scheme| Connection::new(peer, scheme, &traffic);
            let Some(tls) = tls else {
                return run(stream, connection("http"), proxy, &builder, watcher).await;
            };
            let limit = proxy.config.timeouts.header;
            match tokio::time::timeout(limit, TlsAcceptor::from(tls).accept(stream)).await {
                Ok(Ok(stream)) => {
                    run(stream, connection("https"), proxy, &builder, watcher).await;
                }
                Ok(Err(error)) => tracing::debug!(%peer, "the TLS handshake failed: {error}"),
                Err(_) => tracing::debug!(%peer, "the TLS handshake took more than {limit:?}"),
            }
        });
    }

    /// Waits for what is under way, tunnels included.
    async fn end(self, limit: Duration) -> Drained {
        let tunnels = self.proxy.tunnels.clone();
        tunnels.close();
        let deadline = Instant::now() + limit;
        let open = self.graceful.count();
        let connections = tokio::time::timeout_at(deadline, self.graceful.shutdown()).await;
        let tunnels_ended = tokio::time::timeout_at(deadline, tunnels.wait()).await;
        match (connections, tunnels_ended) {
            (Ok(()), Ok(())) => Drained::Whole,
            (Err(_), _) => Drained::CutOff(open + tunnels.len()),
            (Ok(()), Err(_)) => Drained::CutOff(tunnels.len()),
        }
    }
}

/// Serves one connection to its end.
async fn run(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    connection: Connection,
    proxy: Arc<Proxy>,
    builder: &Builder<TokioExecutor>,
    watcher: Watcher,
) {
    let timeouts = &proxy.config.timeouts;
    let in_flight = connection.in_flight.clone();
    let stream = Timed::new(stream, in_flight, timeouts.header, timeouts.idle);
    let peer = connection.peer;
    let shared = Arc::new((proxy.clone(), connection));
    let service = service_fn(move |request| {
        // From here on, not from when the future is first polled: hyper reads once more before that.
        let (shared, in_flight) = (shared.clone(), shared.1.in_flight.one());
        async move { Ok::<_, Infallible>(shared.0.serve(&shared.1, request, in_flight).await) }
    });
    let stream = TokioIo::new(Guard::new(stream));
    let serving = builder.serve_connection_with_upgrades(stream, service);
    if let Err(error) = watcher.watch(serving).await {
        tracing::debug!(%peer, "the connection ended: {}", with_causes(&*error));
    }
}

fn builder(proxy: &Proxy) -> Builder<TokioExecutor> {
    /// What hyper reads without allocating for it.
    const HEADERS: usize = 100;
    /// The least that hyper allows.
    const BUFFER: usize = 8192;
    let crate::config::Config { timeouts, limits, .. } = &proxy.config;
    let mut builder = Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(None); // see `Timed`
    http1.max_buf_size(limits.header_bytes.max(BUFFER));
    if limits.headers != HEADERS {
        http1.max_headers(limits.headers);
    }
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(timeouts.header);
    http2.max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_to_listen() {
        for (text, place) in [
            (":9090", Listen::Everywhere(9090)),
            ("9090", Listen::Everywhere(9090)),
            ("127.0.0.1:0", Listen::At("127.0.0.1:0".parse().unwrap())),
            ("localhost:1", Listen::At("127.0.0.1:1".parse().unwrap())),
            ("[::1]:1", Listen::At("[::1]:1".parse().unwrap())),
        ] {
            assert_eq!(text.parse(), Ok(place), "{text}");
        }
        for wrong in ["", ":", ":99999", "example.com:80", "::1:80x"] {
            assert!(wrong.parse::<Listen>().is_err(), "{wrong}");
        }
    }
}
