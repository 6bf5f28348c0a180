//! A gRPC service on a port of its own: HTTP/2, with answers that the test makes.

use bytes::Bytes;
use fixtures::Certificates;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

pub(crate) type AnyBody = UnsyncBoxBody<Bytes, io::Error>;

pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    runtime: Option<Runtime>,
}

impl Server {
    pub(crate) fn start<F>(answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = Response<AnyBody>> + Send + 'static,
    {
        Self::serve(None, answer)
    }

    /// With TLS, for HTTP/2.
    pub(crate) fn tls<F>(
        of: &Certificates,
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Response<AnyBody>> + Send + 'static,
    {
        let mut config = rustls::ServerConfig::clone(&of.server(false));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self::serve(Some(TlsAcceptor::from(Arc::new(config))), answer)
    }

    fn serve<F>(
        tls: Option<TlsAcceptor>,
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Response<AnyBody>> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let calls = seen.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, answer, calls) = (tls.clone(), answer.clone(), calls.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let call = (request.uri().path().to_owned(), request.headers().clone());
                    calls.lock().unwrap().push(call);
                    let response = answer(request);
                    async { Ok::<_, Infallible>(response.await) }
                });
                tokio::spawn(async move {
                    let server = http2::Builder::new(TokioExecutor::new());
                    // An error is the client's to see.
                    let _ = match tls {
                        None => server.serve_connection(TokioIo::new(stream), service).await,
                        Some(tls) => {
                            let stream = tls.accept(stream).await.unwrap();
                            server.serve_connection(TokioIo::new(stream), service).await
                        }
                    };
                });
            }
        });
        Self { address, seen, runtime: Some(runtime) }
    }

    pub(crate) fn origin(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// The path and the headers of all calls so far.
    pub(crate) fn seen(&self) -> Vec<(String, HeaderMap)> {
        self.seen.lock().unwrap().clone()
    }

    /// Ends at once, with all connections.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A body whose frames the test sends one by one; dropping the sender ends it.
pub(crate) struct Frames(UnboundedReceiver<io::Result<Frame<Bytes>>>);

pub(crate) type FrameSender = UnboundedSender<io::Result<Frame<Bytes>>>;

impl Frames {
    pub(crate) fn channel() -> (FrameSender, AnyBody) {
        let (sender, receiver) = unbounded_channel();
        (sender, Self(receiver).boxed_unsync())
    }

    /// These, and then the end.
    pub(crate) fn of(frames: impl IntoIterator<Item = io::Result<Frame<Bytes>>>) -> AnyBody {
        let (sender, body) = Self::channel();
        frames.into_iter().for_each(|frame| sender.send(frame).unwrap());
        body
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx)
    }
}

/// The head of a gRPC answer.
pub(crate) fn grpc(body: AnyBody) -> Response<AnyBody> {
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

/// A message with its length in front.
pub(crate) fn message(message: &impl prost::Message) -> Bytes {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0], &length[..], &bytes].concat().into()
}

pub(crate) fn trailers(code: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse().unwrap());
    trailers
}
