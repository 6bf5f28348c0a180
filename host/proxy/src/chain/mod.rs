//! The chain of plugins around the upstream: PRE → authentication → POST → reverse proxy, and back.

mod auth;

pub use auth::LockCheck;

use crate::audit::AuditLog;
use crate::builtin::basic_auth::BasicAuth;
use crate::builtin::error_page::{PlainText, page};
use crate::builtin::{Credentials, reverse_proxy::Untouched};
use crate::exchange::State;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::native::Offers;
use crate::service::Connection;
use crate::shadow::{Shadow, Watch, copies};
use crate::span::under;
use crate::stage::{Place, Stage};
use auth::Auth;
use http::HeaderValue;
use http::header::{AUTHORIZATION, CONNECTION, WWW_AUTHENTICATE};
use plugin_interface::host::abi_stable::std_types::{RErr, ROk};
use plugin_interface::host::{
    ErrorPageObject, MiddlewareObject, RawStep, ReverseProxyObject, authenticator_object,
    error_page_object, reverse_proxy_object,
};
use plugin_interface::{Error, ErrorKind, Exchange, Route};
use std::sync::Arc;

/// What a request passes. One immutable value: a request takes it once and keeps it to its end.
pub struct Chain {
    links: Vec<Link>,
    reverse_proxy: (Arc<Stage>, Arc<ReverseProxyObject>),
    error_page: (Arc<Stage>, Arc<ErrorPageObject>),
    locks: Option<Arc<dyn LockCheck>>,
    audit: Option<Arc<dyn AuditLog>>,
    metrics: Arc<Metrics>,
    watches: Vec<Watch>,
}

struct Link {
    name: Arc<str>,
    stage: Arc<Stage>,
    kind: Kind,
}

impl Link {
    fn new(name: &str, stage: &Arc<Stage>, kind: Kind) -> Self {
        let name = link_name(&stage.plugin.info.name, name);
        Self { name, stage: stage.clone(), kind }
    }
}

enum Kind {
    Middleware(Arc<MiddlewareObject>),
    /// One that a PRE plugin brings: asked before the gate.
    Authenticator(Auth),
    /// Where a request must have an identity.
    Gate(Option<Auth>),
}

/// What to make a chain of: the plugins, and what the host brings.
#[derive(Clone, Default)]
pub struct Parts {
    /// Before authentication, in order.
    pub pre: Vec<Arc<Stage>>,
    /// After authentication, in order.
    pub post: Vec<Arc<Stage>>,
    /// The user of the built-in authentication.
    pub credentials: Option<Credentials>,
    /// The patch of `reverse_proxy`.
    pub reverse_proxy: Option<Arc<Stage>>,
    /// The patch of `authenticator`.
    pub authenticator: Option<Arc<Stage>>,
    /// The patch of `error_page`.
    pub error_page: Option<Arc<Stage>>,
    /// Who is locked out: asked where the chain authenticates.
    pub locks: Option<Arc<dyn LockCheck>>,
    /// Where logins and requests are recorded.
    pub audit: Option<Arc<dyn AuditLog>>,
    /// Candidates that see copies of requests.
    pub shadows: Vec<Arc<Shadow>>,
}

/// What a link made of a request.
enum Turn {
    Next,
    /// It has answered: the state has the response.
    Answered,
}

impl Chain {
    /// Links the parts. An error says which plugin is in a place that is not for what it offers.
    pub fn new(parts: Parts, metrics: Arc<Metrics>) -> Result<Self, String> {
        let mut links = Vec::new();
        for stage in parts.pre {
            refuse_patches(&stage)?;
            for (name, object) in &stage.plugin.offers.authenticators {
                let kind = Kind::Authenticator(Auth::new(object.clone()));
                links.push(Link::new(name, &stage, kind));
            }
            for (name, object) in &stage.plugin.offers.middlewares {
                links.push(Link::new(name, &stage, Kind::Middleware(object.clone())));
            }
        }
        let in_pre = links.iter().any(|link| matches!(link.kind, Kind::Authenticator(_)));
        let builtin = |name, authenticators| {
            let offers = Offers { authenticators, ..Offers::default() };
            Stage::builtin(name, Place::Authenticator, offers)
        };
        let gate = match (parts.authenticator, parts.credentials) {
            (Some(patch), _) => Some(patch),
            (None, Some(credentials)) => {
                let object = Arc::new(authenticator_object(BasicAuth(credentials)));
                Some(builtin("basic", vec![(String::new(), object)]))
            }
            (None, None) if in_pre => Some(builtin("authentication", Vec::new())),
            (None, None) => None,
        };
        if let Some(stage) = gate {
            let auth = match &stage.plugin.offers.authenticators[..] {
                [(_, object)] => Some(Auth::new(object.clone())),
                [] if stage.is_builtin() => None,
                _ => return Err(wrong_place(&stage, "it must register one authenticator")),
            };
            links.push(Link::new("", &stage, Kind::Gate(auth)));
        }
        for stage in parts.post {
            refuse_patches(&stage)?;
            if !stage.plugin.offers.authenticators.is_empty() {
                let what = "it registers an authenticator; use it with --pre-plugin";
                return Err(wrong_place(&stage, what));
            }
            for (name, object) in &stage.plugin.offers.middlewares {
                links.push(Link::new(name, &stage, Kind::Middleware(object.clone())));
            }
        }
        let reverse_proxy = parts.reverse_proxy.unwrap_or_else(|| {
            let object = Some(Arc::new(reverse_proxy_object(Untouched)));
            let offers = Offers { reverse_proxy: object, ..Offers::default() };
            Stage::builtin("reverse proxy", Place::ReverseProxy, offers)
        });
        let Some(object) = reverse_proxy.plugin.offers.reverse_proxy.clone() else {
            return Err(wrong_place(&reverse_proxy, "it registers no reverse_proxy"));
        };
        let reverse_proxy = (reverse_proxy, object);
        let error_page = parts.error_page.unwrap_or_else(|| {
            let object = Some(Arc::new(error_page_object(PlainText)));
            let offers = Offers { error_page: object, ..Offers::default() };
            Stage::builtin("error page", Place::ErrorPage, offers)
        });
        let Some(object) = error_page.plugin.offers.error_page.clone() else {
            return Err(wrong_place(&error_page, "it registers no error_page"));
        };
        let error_page = (error_page, object);
        let Parts { locks, audit, shadows, .. } = parts;
        let watches = shadows.into_iter().filter_map(|it| watch(it, &links)).collect();
        Ok(Self { links, reverse_proxy, error_page, locks, audit, metrics, watches })
    }

    /// What a request passes, in that order, the host's own parts included; each once. The error
    /// page, which is not on the way, is last.
    pub fn stages(&self) -> Vec<&Arc<Stage>> {
        let mut stages: Vec<&Arc<Stage>> = self.links.iter().map(|link| &link.stage).collect();
        stages.extend([&self.reverse_proxy.0, &self.error_page.0]);
        stages.dedup_by(|a, b| Arc::ptr_eq(a, b));
        stages
    }

    /// Begins to copy a request for the shadows, if there are any.
    #[inline]
    pub(crate) fn copies(&self, state: &mut State) {
        if !self.watches.is_empty() {
            copies::begin(&self.watches, state);
        }
    }

    pub(crate) fn audit(&self) -> Option<&Arc<dyn AuditLog>> {
        self.audit.as_ref()
    }

    /// Takes a request down the chain; says how many links let it pass, and will see the response.
    pub(crate) async fn request(
        &self,
        state: &mut State,
        connection: &Connection,
        route: Route<'_>,
        forward_authorization: bool,
    ) -> usize {
        for (index, link) in self.links.iter().enumerate() {
            copies::reaches(state, index);
            state.current = index;
            let turn = match &link.kind {
                Kind::Middleware(middleware) => {
                    let mut step = middleware.on_request(Exchange::new(state));
                    if let RawStep::Defer = step {
                        // The future borrows the state until it is dropped, done or not.
                        step = middleware.on_request_async(Exchange::new(state)).await;
                    }
                    apply(state, step)
                }
                Kind::Authenticator(auth) => {
                    self.authenticate(state, connection, &link.name, auth).await
                }
                Kind::Gate(auth) => {
                    let turn = self.gate(state, connection, &link.name, auth.as_ref()).await;
                    if !forward_authorization {
                        state.request.headers.remove(AUTHORIZATION);
                    }
                    turn
                }
            };
            match turn {
                Ok(Turn::Next) => {}
                Ok(Turn::Answered) => {
                    copies::stops(state, None);
                    return index;
                }
                Err(error) => {
                    let failure = error.of(&link.name);
                    copies::stops(state, Some(&failure));
                    self.fail(state, failure);
                    return index;
                }
            }
        }
        copies::reaches(state, self.links.len());
        self.reverse_proxy(state, route).await;
        self.links.len()
    }

    /// Takes the response back up, through the first `passed` links.
    pub(crate) async fn response(&self, state: &mut State, passed: usize) {
        for (index, link) in self.links[..passed].iter().enumerate().rev() {
            copies::returns(state, index + 1, passed);
            let Kind::Middleware(middleware) = &link.kind else { continue };
            state.current = index;
            let mut step = middleware.on_response(Exchange::new(state));
            if let RawStep::Defer = step {
                step = middleware.on_response_async(Exchange::new(state)).await;
            }
            if let Err(error) = apply(state, step) {
                let failure = error.of(&link.name);
                copies::stops(state, Some(&failure));
                self.fail(state, failure);
            }
        }
        copies::returns(state, 0, passed);
    }

    /// Whether anybody may ask for the request's headers once the request has gone upstream: a
    /// response hook, or a patched error page.
    pub(crate) fn looks_back(&self, passed: usize) -> bool {
        passed > 0 || !self.error_page.0.is_builtin()
    }

    /// Answers for a failure: the one place that does. The client sees the status, the log the
    /// reason.
    pub(crate) fn fail(&self, state: &mut State, failure: Failure) {
        let status = failure.status();
        under(|| match failure.by_client() {
            true => tracing::debug!(status = status.as_u16(), "{failure}"),
            false => tracing::error!(status = status.as_u16(), "{failure}"),
        });
        if let Failure::Plugin { plugin, error } = &failure {
            self.metrics.count_failure(plugin, error.kind() == ErrorKind::PANICKED);
        }
        let reason = match &failure {
            // The one reason that is for the client to know.
            Failure::Locked { message, .. } if !message.is_empty() => message,
            _ => status.canonical_reason().unwrap_or("Error"),
        };
        let shown = plugin_interface::Failure::new(status.as_u16(), reason);
        state.current = self.links.len();
        state.response = None; // a page sees the request, not a response that has failed
        let (stage, error_page) = &self.error_page;
        copies::shows(state, shown);
        let rendered = match error_page.render(Exchange::new(state), shown) {
            ROk(answer) => state.respond(answer),
            RErr(error) => Err(error),
        };
        copies::has_shown(state, rendered.as_ref().err().map(Error::kind));
        if let Err(error) = rendered {
            let name = &*stage.plugin.info.name;
            under(|| tracing::error!("{name} failed, the built-in page is sent: {error}"));
            self.metrics.count_failure(name, error.kind() == ErrorKind::PANICKED);
            let _ = state.respond(page(shown)); // cannot fail: the status is one of ours
        }
        let Some(response) = &mut state.response else { return };
        response.status = status;
        if failure.closes() {
            response.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Failure::Unauthenticated { challenges } = failure {
            response.headers.remove(WWW_AUTHENTICATE);
            for challenge in challenges {
                let _ = response.headers.try_append(WWW_AUTHENTICATE, challenge);
            }
        }
    }

    async fn reverse_proxy(&self, state: &mut State, route: Route<'_>) {
        let (stage, reverse_proxy) = &self.reverse_proxy;
        state.current = self.links.len();
        copies::rewrites(state, route);
        let mut step = reverse_proxy.rewrite(Exchange::new(state), route);
        if let RawStep::Defer = step {
            step = reverse_proxy.rewrite_async(Exchange::new(state), route).await;
        }
        match apply(state, step) {
            Ok(Turn::Next) => copies::goes_upstream(state),
            Ok(Turn::Answered) => copies::stops(state, None),
            Err(error) => {
                let failure = error.of(&Arc::from(&*stage.plugin.info.name));
                copies::stops(state, Some(&failure));
                self.fail(state, failure);
            }
        }
    }
}

/// Why a link stopped the request.
enum LinkError {
    Plugin(Error),
    Failure(Failure),
}

impl LinkError {
    fn of(self, plugin: &Arc<str>) -> Failure {
        match self {
            Self::Plugin(error) => Failure::Plugin { plugin: plugin.clone(), error },
            Self::Failure(failure) => failure,
        }
    }
}

fn apply(state: &mut State, step: RawStep) -> Result<Turn, LinkError> {
    match step {
        RawStep::Next => Ok(Turn::Next),
        RawStep::Respond(response) => match state.respond(response) {
            Ok(()) => Ok(Turn::Answered),
            Err(error) => Err(LinkError::Plugin(error)),
        },
        RawStep::Fail(error) => Err(LinkError::Plugin(error)),
        RawStep::Defer => Err(LinkError::Plugin(Error::new("an asynchronous hook deferred again"))),
    }
}

/// A shadow beside the links that it is compared with; none if they are no more there.
fn watch(shadow: Arc<Shadow>, links: &[Link]) -> Option<Watch> {
    let place = shadow.place();
    let mut numbers = links.iter().enumerate();
    let before = |after: &[Place]| {
        let position = links.iter().position(|link| after.contains(&link.stage.place));
        position.unwrap_or(links.len())
    };
    let first = numbers.position(|(_, link)| shadow.is_compared_with(&link.stage));
    let (first, last) = match (place, first) {
        (Place::ReverseProxy | Place::ErrorPage, _) => (0, 0), // no links
        (_, Some(first)) => {
            let stage = &links[first].stage;
            let of_it = links[first..].iter().take_while(|link| Arc::ptr_eq(&link.stage, stage));
            (first, first + of_it.count())
        }
        (_, None) if !shadow.is_compared_with_nothing() => return None,
        (Place::Pre, None) => {
            let end = before(&[Place::Authenticator, Place::Post]);
            (end, end)
        }
        (Place::Authenticator, None) => {
            let end = before(&[Place::Post]);
            (end, end)
        }
        (Place::Post, None) => (links.len(), links.len()),
    };
    let challenge = match links.get(first).map(|link| &link.kind) {
        Some(Kind::Gate(Some(auth))) if first < last => auth.challenge(),
        _ => String::new(),
    };
    Some(Watch { shadow, first, last, challenge: challenge.into() })
}

fn link_name(plugin: &str, name: &str) -> Arc<str> {
    if name.is_empty() || name == plugin {
        Arc::from(plugin)
    } else {
        Arc::from(format!("{plugin}/{name}"))
    }
}

fn refuse_patches(stage: &Stage) -> Result<(), String> {
    match (&stage.plugin.offers.reverse_proxy, &stage.plugin.offers.error_page) {
        (None, None) => Ok(()),
        _ => Err(wrong_place(stage, "it registers a patch; put it into the patches folder")),
    }
}

fn wrong_place(stage: &Stage, what: &str) -> String {
    format!("{}: {what}", stage.plugin.path.display())
}
