//! An HTTP server that answers as a test wants it to.

use super::soon;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What the server does with it.
pub(crate) enum Reply {
    Status(u16),
    /// Status, headers and body.
    Full(u16, Vec<(&'static str, String)>, String),
    /// A 200 after a while: the latency of a server.
    After(Duration),
    /// A 200 when this becomes true.
    When(watch::Receiver<bool>),
    /// No answer: over HTTP/1 the connection ends, over HTTP/2 only this stream is reset.
    Reset,
    /// The connection ends without an answer, with all that is under way over it.
    End,
    /// No answer ever comes.
    Silence,
}

/// Connections or requests, now, at most, and all there were.
#[derive(Default)]
struct Count {
    all: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Count {
    fn one(self: &Arc<Self>) -> One {
        self.all.fetch_add(1, Ordering::SeqCst);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        One(self.clone())
    }
}

struct One(Arc<Count>);

impl Drop for One {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// The server; it ends when it is dropped, with its connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    requests: UnboundedReceiver<Request>,
    connections: Arc<Count>,
    under_way: Arc<Count>,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::over(None, handler).await
    }

    pub(crate) async fn over(
        tls: Option<Arc<rustls::ServerConfig>>,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (sender, requests) = unbounded_channel();
        let (connections, under_way) = (Arc::<Count>::default(), Arc::<Count>::default());
        let shared =
            Arc::new(Shared { handler: Box::new(handler), sender, under_way: under_way.clone() });
        let counted = connections.clone();
        let task = tokio::spawn(async move {
            let acceptor = tls.map(TlsAcceptor::from);
            let mut tasks = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let _ = stream.set_nodelay(true);
                let (shared, acceptor, one) = (shared.clone(), acceptor.clone(), counted.one());
                tasks.spawn(async move {
                    let _one = one;
                    match acceptor {
                        None => shared.serve(stream).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                shared.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        let task = task.abort_handle();
        Self { address, scheme, requests, connections, under_way, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Request {
        soon("a request", self.requests.recv()).await.unwrap()
    }

    /// The requests that have come and were not asked for yet.
    pub(crate) fn so_far(&mut self) -> Vec<Request> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }

    /// From here on requests are not kept for the test.
    pub(crate) fn forget(&mut self) {
        self.requests.close();
    }

    /// So many connections there were.
    pub(crate) fn all_connections(&self) -> usize {
        self.connections.all.load(Ordering::SeqCst)
    }

    /// So many requests there were at a time.
    pub(crate) fn most_requests(&self) -> usize {
        self.under_way.most.load(Ordering::SeqCst)
    }
}

struct Shared {
    handler: Box<Handler>,
    sender: UnboundedSender<Request>,
    under_way: Arc<Count>,
}

impl Shared {
    async fn serve(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let end = Arc::new(Notify::new());
        let service = service_fn(|request| self.clone().answer(request, end.clone()));
        let builder = Builder::new(TokioExecutor::new());
        tokio::select! {
            _ = builder.serve_connection(TokioIo::new(stream), service) => {}
            () = end.notified() => {}
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: http::Request<Incoming>,
        end: Arc<Notify>,
    ) -> io::Result<Response<Full<Bytes>>> {
        let _one = self.under_way.one();
        let (head, body) = request.into_parts();
        let request = Request {
            method: head.method.to_string(),
            path: head.uri.path_and_query().unwrap().to_string(),
            version: head.version,
            headers: head.headers,
            body: body.collect().await.map_err(io::Error::other)?.to_bytes(),
        };
        let reply = (self.handler)(&request);
        let _ = self.sender.send(request);
        let (status, headers, body) = match reply {
            Reply::Status(status) => (status, Vec::new(), String::new()),
            Reply::Full(status, headers, body) => (status, headers, body),
            Reply::After(latency) => {
                tokio::time::sleep(latency).await;
                (200, Vec::new(), String::new())
            }
            Reply::When(mut opened) => {
                opened.wait_for(|opened| *opened).await.map_err(io::Error::other)?;
                (200, Vec::new(), String::new())
            }
            Reply::Reset => return Err(io::Error::other("as the test asked")),
            Reply::End => {
                end.notify_one();
                pending().await
            }
            Reply::Silence => pending().await,
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        Ok(response)
    }
}
