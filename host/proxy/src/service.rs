//! The path of a request, from its head to its response's.

use crate::access::{AccessLog, Record, Watch};
use crate::body::{Payload, ProxyBody};
use crate::chain::Chain;
use crate::config::Config;
use crate::exchange::State;
use crate::failure::Failure;
use crate::headers::{admit, remove_hop_by_hop};
use crate::patience::{Patience, Timers};
use crate::phase::{self, Phase};
use crate::shadow::copies;
use crate::span::RequestSpan;
use crate::traffic::{OpenConnection, Traffic};
use crate::upgrade;
use crate::upstream::Client;
use arc_swap::ArcSwap;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::uri::{PathAndQuery, Uri};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use plugin_interface::Route;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio_util::task::TaskTracker;

/// Everything that requests need, shared by all connections.
pub struct Proxy {
    /// How requests are treated.
    pub config: Config,
    /// What they pass: one immutable value, which a request takes once.
    pub chain: ArcSwap<Chain>,
    /// Where they go.
    pub client: Client,
    /// Where they are recorded.
    pub access: Option<AccessLog>,
    /// What has passed.
    pub traffic: Arc<Traffic>,
    phase: phase::Now,
    pub(crate) tunnels: TaskTracker,
}

/// Where requests come from.
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    pub(crate) scheme: &'static str,
    /// The peer's address for `X-Forwarded-For`: made once, not for each request.
    pub(crate) forwarded_for: HeaderValue,
    timers: Timers,
    pub(crate) in_flight: InFlight,
    /// The user whose login was recorded last; empty before the first, and without an audit log.
    last_login: Mutex<String>,
    _open: OpenConnection,
}

/// The requests of a connection that are being answered, from their heads to the ends of their
/// responses.
#[derive(Clone)]
pub(crate) struct InFlight(Arc<Counts>);

struct Counts {
    here: AtomicUsize,
    traffic: Arc<Traffic>,
}

/// One of them, as long as this lives.
pub(crate) struct OneInFlight(InFlight);

impl InFlight {
    pub(crate) fn any(&self) -> bool {
        self.0.here.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn one(&self) -> OneInFlight {
        self.0.here.fetch_add(1, Ordering::Relaxed);
        self.0.traffic.begun();
        OneInFlight(self.clone())
    }
}

impl Drop for OneInFlight {
    fn drop(&mut self) {
        let Counts { here, traffic } = &*self.0.0;
        here.fetch_sub(1, Ordering::Relaxed);
        traffic.ended();
    }
}

impl Connection {
    pub(crate) fn new(peer: SocketAddr, scheme: &'static str, traffic: &Arc<Traffic>) -> Self {
        let forwarded_for = HeaderValue::from_str(&peer.ip().to_string())
            .unwrap_or(HeaderValue::from_static("unknown")); // an address is always a value
        Self {
            peer,
            scheme,
            forwarded_for,
            timers: Timers::default(),
            in_flight: InFlight(Arc::new(Counts {
                here: AtomicUsize::new(0),
                traffic: traffic.clone(),
            })),
            last_login: Mutex::default(),
            _open: traffic.connection(),
        }
    }

    /// Whether this is another user than the one that was let in before.
    pub(crate) fn is_new_login(&self, user: &str) -> bool {
        let mut last = self.last_login.lock().unwrap_or_else(PoisonError::into_inner);
        let new = *last != user;
        if new {
            user.clone_into(&mut last);
        }
        new
    }
}

impl Proxy {
    /// A proxy that is ready to serve.
    pub fn new(config: Config, chain: Chain, client: Client, access: Option<AccessLog>) -> Self {
        chain.stages().into_iter().for_each(|stage| stage.activate());
        Self {
            config,
            chain: ArcSwap::from_pointee(chain),
            client,
            access,
            traffic: Arc::default(),
            phase: phase::Now::default(),
            tunnels: TaskTracker::new(),
        }
    }

    /// Whether it takes requests.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// From [`Phase::Draining`] on every answer is the last on its connection.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
    }

    /// Serves one request, in a span that everything logged on its way is under.
    pub(crate) async fn serve(
        &self,
        connection: &Connection,
        request: Request<Incoming>,
        in_flight: OneInFlight,
    ) -> Response<ProxyBody> {
        let (method, target) = (request.method().clone(), request.uri().clone());
        let span = RequestSpan::new(method, target, connection.peer.ip());
        let awaited = self.traffic.request();
        let response = span.around(self.pass(connection, request, awaited.since)).await;
        awaited.answered(response.status());
        response.map(|body| body.holding(in_flight))
    }

    async fn pass(
        &self,
        connection: &Connection,
        mut request: Request<Incoming>,
        started: Instant,
    ) -> Response<ProxyBody> {
        let chain = self.chain.load_full();
        // Asked of the request before it is taken apart; only some can be upgraded.
        let switch =
            request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(&mut request));
        // The guard reads along no further than such a request: unless the protocol is switched,
        // the connection ends with the answer.
        let guard_is_off = switch.is_some();
        let (head, body) = request.into_parts();
        let (log, audit) = (&self.access, chain.audit());
        let mut watch = (log.is_some() || audit.is_some()).then(|| {
            let record = Record::of(&head, started, connection.peer);
            Box::new(Watch::new(log.clone(), audit.cloned(), record))
        });

        let mut state = State::new(head, Payload::Incoming(body.into()), connection);
        chain.copies(&mut state);
        // Also a request that is refused has a state: the error page may look at it.
        let admitted = match admit(&mut state.request, connection, &self.config) {
            Ok(admitted) => admitted,
            Err(failure) => {
                chain.fail(&mut state, failure);
                return self.finish(connection, chain, state, watch, guard_is_off);
            }
        };
        (state.peer, state.authority) = (admitted.client, admitted.authority);
        if let Some(watch) = &mut watch {
            watch.record.client = admitted.client;
        }

        let route = Route::new(&self.config.target.text, self.config.prefix.as_str());
        let way = async {
            let forward = self.config.forward_authorization;
            let passed = chain.request(&mut state, connection, route, forward).await;
            if state.response.is_none() {
                if let Some(watch) = &mut watch {
                    watch.forwarded(state.identity.as_deref());
                }
                let keep_headers = chain.looks_back(passed);
                let answer = self
                    .forward(connection, &mut state, admitted.upgrade, switch, keep_headers)
                    .await;
                if let Some(watch) = &mut watch {
                    watch.record.upstream = Some(started.elapsed());
                }
                if let Err(failure) = answer {
                    chain.fail(&mut state, failure);
                }
            }
            chain.response(&mut state, passed).await;
        };
        let in_time = match self.config.timeouts.request {
            None => {
                way.await;
                Ok(())
            }
            Some(limit) => tokio::time::timeout(limit, way).await.map_err(|_| limit),
        };
        if let Err(limit) = in_time {
            chain.fail(&mut state, Failure::TooLong { limit });
        }
        self.finish(connection, chain, state, watch, guard_is_off)
    }

    /// For what may keep a request of this connection waiting.
    fn patience(&self, connection: &Connection) -> Patience {
        Patience::new(self.config.timeouts.idle, connection.timers.clone())
    }

    /// Sends the request upstream; the response is then in the state.
    async fn forward(
        &self,
        connection: &Connection,
        state: &mut State,
        upgrade: Option<HeaderValue>,
        switch: Option<OnUpgrade>,
        keep_headers: bool,
    ) -> Result<(), Failure> {
        let target = &self.config.target;
        let headers = &mut state.request.headers;
        if state.body_changed {
            headers.remove(CONTENT_LENGTH);
        }
        let mut parts = http::uri::Parts::default();
        let host = match state.upstream.take().map(Uri::into_parts) {
            Some(other) => {
                let authority = other.authority.as_ref().map(http::uri::Authority::as_str);
                let host = HeaderValue::from_str(authority.unwrap_or_default());
                (parts.scheme, parts.authority) = (other.scheme, other.authority);
                host.unwrap_or_else(|_| target.host.clone())
            }
            None => {
                parts.scheme = Some(target.scheme.clone());
                parts.authority = Some(target.authority.clone());
                target.host.clone()
            }
        };
        let preserve = self.config.preserve_host && !state.authority.is_empty();
        let host = if preserve { state.authority.clone() } else { host };
        let _ = headers.try_insert(HOST, host);
        if let Some(protocol) = &upgrade {
            let _ = headers.try_insert(CONNECTION, HeaderValue::from_static("upgrade"));
            let _ = headers.try_insert(UPGRADE, protocol.clone());
        }
        parts.path_and_query = Some(self.upstream_path(&state.request.uri)?);
        let uri =
            Uri::from_parts(parts).map_err(|_| Failure::Malformed("its target is no path"))?;

        let repeatable =
            state.body.is_empty() && state.request.method.is_idempotent() && upgrade.is_none();
        let body = ProxyBody::new(std::mem::take(&mut state.body), self.patience(connection))
            .without_claims(&self.config.identity_header);
        // Unless told so, hyper takes these for requests without a body, and drops it.
        let bare = matches!(state.request.method, Method::GET | Method::HEAD);
        if bare && !body.is_end_stream() && body.size_hint().exact().is_none() {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let mut request = Request::new(body);
        *request.method_mut() = state.request.method.clone();
        *request.uri_mut() = uri;
        std::mem::swap(request.headers_mut(), &mut state.request.headers);
        if keep_headers || repeatable {
            state.request.headers = request.headers().clone();
        }
        let again = repeatable.then_some(&state.request.headers);
        let mut response = self.client.send(request, again, &connection.timers).await?;

        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if switched {
            let (Some(client), true) = (switch, upgrade.is_some()) else {
                let (upstream, error) =
                    (target.text.clone(), "it switched protocols unasked".into());
                return Err(Failure::Upstream { upstream, error });
            };
            let upstream = hyper::upgrade::on(&mut response);
            upgrade::join(client, upstream, &self.tunnels, connection.in_flight.one());
        }
        let (mut head, body) = response.into_parts();
        let protocol = if switched { head.headers.remove(UPGRADE) } else { None };
        remove_hop_by_hop(&mut head.headers);
        if let Some(protocol) = protocol {
            head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            head.headers.insert(UPGRADE, protocol);
        }
        state.set_response(head, Payload::Incoming(body));
        Ok(())
    }

    /// The path at the upstream: that of the request behind the target's own.
    fn upstream_path(&self, uri: &Uri) -> Result<PathAndQuery, Failure> {
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let base = &self.config.target.base;
        if base.is_empty() || !path.as_str().starts_with('/') {
            return Ok(path);
        }
        PathAndQuery::try_from(format!("{base}{path}"))
            .map_err(|_| Failure::Malformed("its target is no path"))
    }

    /// The response as hyper sends it, and the record of it.
    fn finish(
        &self,
        connection: &Connection,
        chain: Arc<Chain>,
        mut state: State,
        mut watch: Option<Box<Watch>>,
        guard_is_off: bool,
    ) -> Response<ProxyBody> {
        copies::compare(&mut state);
        let mut head = state.response.take().unwrap_or_else(|| {
            // Cannot be: a request that nobody answered was forwarded or failed.
            let mut head = Response::new(()).into_parts().0;
            head.status = StatusCode::INTERNAL_SERVER_ERROR;
            head
        });
        head.version = Version::HTTP_11; // that of the connection is what hyper sends
        if state.body_changed {
            head.headers.remove(CONTENT_LENGTH);
        }
        let switched = head.status == StatusCode::SWITCHING_PROTOCOLS;
        let last = guard_is_off || self.phase() == Phase::Draining;
        if last && !switched && state.request.version <= Version::HTTP_11 {
            head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let body = ProxyBody::new(std::mem::take(&mut state.body), self.patience(connection));
        if let Some(watch) = &mut watch {
            let empty = body.is_end_stream() || body.size_hint().exact() == Some(0);
            watch.answered(head.status, state.identity.take(), empty);
        }
        let body = body.watched(watch).passing(chain);
        Response::from_parts(head, body)
    }
}
