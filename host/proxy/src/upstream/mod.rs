//! The upstream: connections, protocols, and what their failures mean.

mod plain;
mod tls;

pub(crate) use plain::Received;
pub use tls::TlsError;
pub(crate) use tls::{certificates, private_key};

use crate::body::{BodyFailure, Moved, Pace, Payload, ProxyBody, with_causes};
use crate::config::{ClientConfig, Timeouts, UpstreamHttp};
use crate::failure::Failure;
use crate::patience::{Patience, Timers};
use crate::span::under;
use http::header::{CONTENT_TYPE, HeaderValue, UPGRADE};
use http::uri::Scheme;
use http::{HeaderMap, Request, Response, Uri, Version};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, Error as PoolError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use plugin_interface::{
    Error as PluginError, Request as PluginRequest, Response as PluginResponse,
};
use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

type Connector = HttpsConnector<HttpConnector>;

/// Sends requests upstream over connections that are kept. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: UpstreamHttp,
    timeouts: Timeouts,
    /// HTTP/1.1 without TLS, to the configured upstream.
    plain: Option<Arc<plain::Pool>>,
    /// HTTP/1.1, or what TLS negotiates.
    negotiated: Pool<Connector, ProxyBody>,
    /// HTTP/1.1 also over TLS: what is to become another protocol.
    one: Pool<Connector, ProxyBody>,
    /// HTTP/2, with prior knowledge where there is no TLS.
    two: Pool<Connector, ProxyBody>,
    /// For second attempts: as `negotiated`, with a new connection for each.
    fresh: Pool<Connector, ProxyBody>,
}

/// What a request goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// HTTP/1.1, or what TLS negotiates.
    Negotiated,
    One,
    Two,
}

impl Client {
    /// A client with its connection pool. An error names the file that it could not use.
    pub fn new(config: &ClientConfig) -> Result<Self, TlsError> {
        let tls = tls::client_config(config)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(config.timeouts.connect));
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let target = config.target.as_ref().filter(|_| config.http != UpstreamHttp::Two);
        let target = target.filter(|target| target.scheme == Scheme::HTTP);
        let plain = target.and_then(|target| {
            let origin = Uri::builder().scheme("http").authority(target.authority.clone());
            let origin = origin.path_and_query("/").build().ok()?;
            Some(Arc::new(plain::Pool::new(tcp.clone(), origin, config.timeouts.idle)))
        });
        let connector = |alpn: UpstreamHttp| {
            let tcp = tcp.clone();
            let builder = hyper_rustls::HttpsConnectorBuilder::new()
                .with_tls_config(tls.clone())
                .https_or_http();
            match alpn {
                UpstreamHttp::Auto => builder.enable_all_versions().wrap_connector(tcp),
                UpstreamHttp::One => builder.enable_http1().wrap_connector(tcp),
                UpstreamHttp::Two => builder.enable_http2().wrap_connector(tcp),
            }
        };
        let mut pool = Pool::builder(TokioExecutor::new());
        pool.pool_timer(TokioTimer::new()).timer(TokioTimer::new());
        pool.pool_idle_timeout(config.timeouts.idle);
        pool.set_host(false);
        let negotiated = match config.http {
            UpstreamHttp::Auto => UpstreamHttp::Auto,
            _ => UpstreamHttp::One,
        };
        Ok(Self {
            http: config.http,
            timeouts: config.timeouts,
            plain,
            negotiated: pool.build(connector(negotiated)),
            one: pool.build(connector(UpstreamHttp::One)),
            fresh: pool.clone().pool_max_idle_per_host(0).build(connector(negotiated)),
            two: pool.http2_only(true).build(connector(UpstreamHttp::Two)),
        })
    }

    /// Sends a request and waits for the head of its response.
    ///
    /// `again` has the headers once more if the request has no body and may be sent twice. An
    /// upstream may close a connection that waits in the pool at any time, so also in the moment in
    /// which a request is written to it; such a request is sent once more, over a new connection
    /// (RFC 9110, section 9.2.2).
    pub(crate) fn send(
        &self,
        request: Request<ProxyBody>,
        again: Option<&HeaderMap>,
        timers: &Timers,
    ) -> impl Future<Output = Result<Response<Received>, Failure>> + Send {
        let tls = request.uri().scheme() == Some(&Scheme::HTTPS);
        let over = match self.http {
            UpstreamHttp::One => Over::Negotiated,
            // HTTP/2 has no `Upgrade` (RFC 9113, section 8.6); who has TLS can choose.
            _ if tls && request.headers().contains_key(UPGRADE) => Over::One,
            UpstreamHttp::Two => Over::Two,
            // gRPC is HTTP/2, and without TLS nothing negotiates it.
            UpstreamHttp::Auto if !tls && is_grpc(&request) => Over::Two,
            UpstreamHttp::Auto => Over::Negotiated,
        };
        self.send_over(over, request, again, timers, self.timeouts.idle)
    }

    /// The same over that, with a `limit` to the silence before the answer.
    async fn send_over(
        &self,
        over: Over,
        mut request: Request<ProxyBody>,
        again: Option<&HeaderMap>,
        timers: &Timers,
        limit: Duration,
    ) -> Result<Response<Received>, Failure> {
        *request.version_mut() = Version::HTTP_11; // the pool's, not the client's, is what counts
        let uri = request.uri().clone();
        let method = again.map(|_| request.method().clone());
        let pace = request.body_mut().pace();
        let plain = self.plain.as_ref().filter(|plain| over != Over::Two && plain.is_for(&uri));
        let mut answer = if let Some(plain) = plain {
            *request.uri_mut() = uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
            in_time(plain.send(request), limit, timers, pace).await.map(|it| it.map_err(Into::into))
        } else {
            let pool = match over {
                Over::Negotiated => &self.negotiated,
                Over::One => &self.one,
                Over::Two => &self.two,
            };
            in_time(pool.request(request), limit, timers, pace).await.map(received)
        };
        if let (Some(Err(error)), Some(headers), Some(method)) = (&answer, again, method)
            && is_lost(error)
        {
            under(|| tracing::debug!("the upstream closed a connection as it was used; once more"));
            let body = ProxyBody::new(Payload::Empty, Patience::new(limit, timers.clone()));
            let mut request = Request::new(body);
            *request.method_mut() = method;
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers.clone();
            answer = in_time(self.fresh.request(request), limit, timers, None).await.map(received);
        }
        match answer {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) => Err(failure(&error, &uri)),
            None => Err(Failure::Timeout { upstream: origin(&uri), limit }),
        }
    }

    /// Sends a request of a plugin's own.
    pub(crate) fn send_for_plugin(
        &self,
        request: PluginRequest,
    ) -> impl Future<Output = Result<PluginResponse, PluginError>> + Send + 'static {
        let client = self.clone();
        async move {
            let parts = request.into_parts();
            let uri: Uri = parts.url.parse().map_err(|error| {
                PluginError::new(format_args!("{:?} is not a URL: {error}", parts.url))
            })?;
            if uri.authority().is_none() {
                let text = format_args!("{:?} is not an absolute URL", parts.url).to_string();
                return Err(PluginError::new(text));
            }
            let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
            if authority.contains('@') {
                let text = "a user and password cannot be in a URL; send an Authorization header";
                return Err(PluginError::new(text));
            }
            let timers = Timers::default();
            // Their timers are made here, on the host's runtime: the plugin may read the response
            // on a thread of its own.
            let patience = || {
                let mut patience = Patience::new(client.timeouts.idle, timers.clone());
                patience.wait_since(Instant::now());
                patience.rest();
                patience
            };
            let body = ProxyBody::new(Payload::Plugin(parts.body), patience());
            let mut head = Request::builder().method(parts.method.as_str()).uri(uri).body(body)?;
            *head.headers_mut() = plugin_interface::http::header_map(&parts.headers)?;
            let headers = head.headers_mut();
            crate::headers::remove_hop_by_hop(headers);
            headers.remove(http::header::CONTENT_LENGTH);
            headers.try_insert(http::header::HOST, authority.parse()?)?;
            let limit = match parts.timeout_milliseconds {
                0 => client.timeouts.idle,
                milliseconds => Duration::from_millis(milliseconds),
            };
            // How the configured upstream is spoken to does not bind others, and gRPC is HTTP/2.
            let two = client.http == UpstreamHttp::Two || is_grpc(&head);
            let over = if two { Over::Two } else { Over::Negotiated };
            // A plugin may be more patient than the host is for itself.
            let silence = limit.max(client.timeouts.idle);
            let response = client.send_over(over, head, None, &timers, silence);
            let response = match tokio::time::timeout(limit, response).await {
                Ok(response) => response.map_err(|failure| PluginError::new(&failure))?,
                Err(_) => return Err(PluginError::new(format_args!("no answer within {limit:?}"))),
            };
            let (head, body) = response.into_parts();
            let body = ProxyBody::new(Payload::Incoming(body), patience());
            Ok(PluginResponse::from_http(Response::from_parts(head, body)))
        }
    }
}

/// What `answer` says; none if for `limit` neither it came nor our body got on. While the body's own
/// source is waited for, the upstream is not: the body has a limit for that.
async fn in_time<T>(
    answer: impl Future<Output = T>,
    limit: Duration,
    timers: &Timers,
    pace: Option<Pace>,
) -> Option<T> {
    let mut answer = pin!(answer);
    let mut patience = Patience::new(limit, timers.clone());
    let mut since = Instant::now();
    patience.wait_since(since);
    loop {
        let waited = poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => patience.poll(cx).map(|()| None),
        });
        if let Some(answer) = waited.await {
            return Some(answer);
        }
        since = match pace.as_ref()?.moved() {
            Moved::WaitsForSource => Instant::now(),
            Moved::At(moved) if moved > since => moved,
            Moved::At(_) => return None,
        };
        patience.wait_since(since);
    }
}

fn received<B: Into<Received>>(
    answer: Result<Response<B>, PoolError>,
) -> Result<Response<Received>, SendError> {
    answer.map(|response| response.map(Into::into)).map_err(SendError::Pool)
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Pool(PoolError),
    #[error(transparent)]
    Plain(#[from] plain::SendError),
}

impl SendError {
    fn is_connect(&self) -> bool {
        match self {
            Self::Pool(error) => error.is_connect(),
            Self::Plain(error) => matches!(error, plain::SendError::Connect(_)),
        }
    }
}

/// Whether the connection ended before an answer came.
fn is_lost(error: &SendError) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    !error.is_connect()
        && causes(error).any(|cause| {
            let lost = [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected];
            cause.downcast_ref().is_some_and(hyper::Error::is_incomplete_message)
                || cause.downcast_ref().is_some_and(|io: &std::io::Error| lost.contains(&io.kind()))
        })
}

/// `application/grpc`, also with a format behind it; `application/grpc-web` is plain HTTP.
fn is_grpc(request: &Request<ProxyBody>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = content_type.and_then(|value| value.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// The upstream as the log names it: without path and query, which may hold secrets.
fn origin(uri: &Uri) -> String {
    format!(
        "{}://{}",
        uri.scheme_str().unwrap_or_default(),
        uri.authority().map(http::uri::Authority::as_str).unwrap_or_default()
    )
}

/// Whose fault it is: the client's, whose body did not come; or the upstream's, that cannot be
/// reached, or broke off.
fn failure(error: &SendError, uri: &Uri) -> Failure {
    let upstream = origin(uri);
    let text = with_causes(error);
    let timed_out = causes(error).any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
    });
    match error.is_connect() {
        true if timed_out => Failure::ConnectTimeout { upstream, error: text },
        true => Failure::Connect { upstream, error: text },
        false => match body_failure(error) {
            Some(failure) => Failure::RequestBody(failure),
            None => Failure::Upstream { upstream, error: text },
        },
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// The failure of our request's body, if that is what ended the request.
fn body_failure(error: &SendError) -> Option<BodyFailure> {
    causes(error).find_map(|cause| cause.downcast_ref::<BodyFailure>()).cloned()
}
