//! Both ends of HTTP/2: a client for many requests on one connection, and an upstream.

use bytes::Bytes;
use fixtures::Certificates;
use http::{Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) type AnyBody = BoxBody<Bytes, Infallible>;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs a test's client, which must come to its end.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(30);
    let limited = async { tokio::time::timeout(limit, test).await };
    runtime().block_on(limited).expect("everything should be answered within 30 seconds")
}

/// Connects without TLS, with prior knowledge (RFC 9113, section 3.3).
pub(crate) async fn connect(address: SocketAddr) -> SendRequest<AnyBody> {
    handshake(TokioIo::new(TcpStream::connect(address).await.unwrap())).await
}

/// Connects with TLS, which must negotiate HTTP/2.
pub(crate) async fn connect_tls(address: SocketAddr, of: &Certificates) -> SendRequest<AnyBody> {
    let mut config = rustls::ClientConfig::clone(&of.client(false));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(address.ip().into(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    handshake(TokioIo::new(stream)).await
}

async fn handshake(stream: impl Read + Write + Send + Unpin + 'static) -> SendRequest<AnyBody> {
    let (sender, connection) = Builder::new(TokioExecutor::new()).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A request without a body. Its target has an authority, as in HTTP/2.
pub(crate) fn get(path: &str) -> http::request::Builder {
    Request::get(format!("http://tenon.test{path}"))
}

pub(crate) fn empty() -> AnyBody {
    Empty::new().boxed()
}

/// A body whose frames the test sends one by one.
pub(crate) struct Frames(mpsc::UnboundedReceiver<Frame<Bytes>>);

impl Frames {
    pub(crate) fn channel() -> (mpsc::UnboundedSender<Frame<Bytes>>, AnyBody) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(receiver).boxed())
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

/// An upstream that speaks what its client does, HTTP/2 included.
pub(crate) struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<(Version, http::HeaderMap)>>>,
    _runtime: Runtime,
}

impl Upstream {
    /// Without TLS.
    pub(crate) fn start<F>(answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = Response<AnyBody>> + Send + 'static,
    {
        Self::serve(None, answer)
    }

    /// With TLS, and these protocols in its order.
    pub(crate) fn tls<F>(
        of: &Certificates,
        alpn: &[&str],
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Response<AnyBody>> + Send + 'static,
    {
        let mut config = rustls::ServerConfig::clone(&of.server(false));
        config.alpn_protocols = alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
        Self::serve(Some(TlsAcceptor::from(Arc::new(config))), answer)
    }

    fn serve<F>(
        tls: Option<TlsAcceptor>,
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Response<AnyBody>> + Send + 'static,
    {
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = seen.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, answer, requests) = (tls.clone(), answer.clone(), requests.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let head = (request.version(), request.headers().clone());
                    requests.lock().unwrap().push(head);
                    let response = answer(request);
                    async { Ok::<_, Infallible>(response.await) }
                });
                tokio::spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    // An error is the client's to see.
                    let _ = match tls {
                        None => server.serve_connection(TokioIo::new(stream), service).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => {
                                server.serve_connection(TokioIo::new(stream), service).await
                            }
                            Err(error) => Err(error.into()),
                        },
                    };
                });
            }
        });
        Self { address, seen, _runtime: runtime }
    }

    /// For `--target`.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// The protocol and the headers of all requests so far.
    pub(crate) fn seen(&self) -> Vec<(Version, http::HeaderMap)> {
        self.seen.lock().unwrap().clone()
    }
}
