//! Connections to the configured upstream over HTTP/1.1 without TLS, kept and used again.
//!
//! hyper-util's pool is for every scheme, protocol and host: for each request it hashes the
//! destination twice, prepares a connection that it then does not make, and spawns a task that waits
//! for the connection to be free. With one destination a stack of connections does: a body gives its
//! connection back where it ends.

use crate::body::ProxyBody;
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::client::legacy::connect::HttpConnector;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tower_service::Service;

/// A connection that was given back may need a moment to be ready: its task has to run.
const SETTLES: Duration = Duration::from_millis(5);

/// The connections that wait for a request, the one used last on top: so the others grow old and
/// are dropped when there are more than needed.
pub(super) struct Pool {
    connector: HttpConnector,
    /// `http://` and the upstream's authority.
    origin: Uri,
    idle: Arc<Idle>,
}

struct Idle {
    /// The time, in halves of the limit.
    halves: AtomicU64,
    /// Since when they wait, and the connections.
    stack: Mutex<Vec<(u64, SendRequest<ProxyBody>)>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error("{0}")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("{0}")]
    Http(#[from] hyper::Error),
}

impl Pool {
    /// No connection is used that has waited for longer than `limit`. Called on a runtime.
    pub(super) fn new(connector: HttpConnector, origin: Uri, limit: Duration) -> Self {
        let idle = Arc::new(Idle { halves: AtomicU64::new(0), stack: Mutex::default() });
        tokio::spawn(sweep(Arc::downgrade(&idle), limit));
        Self { connector, origin, idle }
    }

    pub(super) fn is_for(&self, uri: &Uri) -> bool {
        uri.scheme() == self.origin.scheme() && uri.authority() == self.origin.authority()
    }

    /// Sends a request, whose URI is a path only, and waits for the head of its response.
    pub(super) async fn send(
        &self,
        mut request: Request<ProxyBody>,
    ) -> Result<Response<Received>, SendError> {
        loop {
            let (mut sender, is_new) = match self.idle.take().await {
                Some(sender) => (sender, false),
                None => (self.connect().await?, true),
            };
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.received(response, sender)),
                Err(mut error) => match error.take_message() {
                    // Nothing of it was sent: the connection ended while it waited.
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(error.into_error().into()),
                },
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<ProxyBody>, SendError> {
        let connecting = self.connector.clone().call(self.origin.clone());
        let stream = connecting.await.map_err(|error| SendError::Connect(error.into()))?;
        let (sender, connection) = Builder::new().handshake(stream).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!("a connection to the upstream ended: {error}");
            }
        });
        Ok(sender)
    }

    fn received(
        &self,
        response: Response<Incoming>,
        sender: SendRequest<ProxyBody>,
    ) -> Response<Received> {
        // After the switch it is no HTTP connection any more.
        let kept = response.status() != StatusCode::SWITCHING_PROTOCOLS;
        let lease = kept.then(|| Lease { sender, idle: self.idle.clone() });
        response.map(|body| {
            let mut body = Received { body, lease };
            body.give_back_if_ended();
            body
        })
    }
}

/// Counts the time in halves of the limit, and drops what has waited for two of them: nobody asks the
/// clock for each request, and connections also end when no request comes.
async fn sweep(idle: Weak<Idle>, limit: Duration) {
    loop {
        tokio::time::sleep(limit / 2).await;
        let Some(idle) = idle.upgrade() else { return };
        let now = idle.halves.fetch_add(1, Ordering::Relaxed) + 1;
        idle.lock().retain(|(since, _)| now - since < 2);
    }
}

impl Idle {
    /// The connection used last that is ready; if none is, one that may be in a moment.
    async fn take(&self) -> Option<SendRequest<ProxyBody>> {
        let mut sender = {
            let mut stack = self.lock();
            match stack.iter().rposition(|(_, sender)| sender.is_ready()) {
                Some(at) => return Some(stack.remove(at).1),
                None => stack.pop()?.1,
            }
        };
        let settled = tokio::time::timeout(SETTLES, sender.ready()).await;
        matches!(settled, Ok(Ok(()))).then_some(sender)
    }

    fn put(&self, sender: SendRequest<ProxyBody>) {
        let now = self.halves.load(Ordering::Relaxed);
        self.lock().push((now, sender));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, SendRequest<ProxyBody>)>> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use.
struct Lease {
    sender: SendRequest<ProxyBody>,
    idle: Arc<Idle>,
}

/// A body as hyper reads it, and the connection that is free once it has ended. Dropped before, the
/// connection goes with it.
pub(crate) struct Received {
    body: Incoming,
    lease: Option<Lease>,
}

impl From<Incoming> for Received {
    /// A body whose connection is somebody else's concern.
    fn from(body: Incoming) -> Self {
        Self { body, lease: None }
    }
}

impl Received {
    fn give_back_if_ended(&mut self) {
        if self.lease.is_some() && self.body.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some(Lease { sender, idle }) = self.lease.take().filter(|it| !it.sender.is_closed())
        {
            idle.put(sender);
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.give_back(),
            // Nothing comes after trailers, and nobody asks.
            Some(Ok(frame)) if frame.is_trailers() => self.give_back(),
            Some(Ok(_)) => self.give_back_if_ended(),
            Some(Err(_)) => self.lease = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
