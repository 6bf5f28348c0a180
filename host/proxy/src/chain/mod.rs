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
use crate::native::Plugin;
use crate::service::Connection;
use crate::span::under;
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
    reverse_proxy: (Arc<str>, ReverseProxyObject),
    error_page: (Arc<str>, ErrorPageObject),
    error_page_is_patched: bool,
    locks: Option<Arc<dyn LockCheck>>,
    audit: Option<Arc<dyn AuditLog>>,
    metrics: Arc<Metrics>,
}

struct Link {
    name: Arc<str>,
    kind: Kind,
}

enum Kind {
    Middleware(MiddlewareObject),
    /// One that a PRE plugin brings: asked before the gate.
    Authenticator(Auth),
    /// Where a request must have an identity.
    Gate(Option<Auth>),
}

/// What to make a chain of: the plugins, and what the host brings.
#[derive(Default)]
pub struct Parts {
    /// Before authentication, in order.
    pub pre: Vec<Plugin>,
    /// After authentication, in order.
    pub post: Vec<Plugin>,
    /// The user of the built-in authentication.
    pub credentials: Option<Credentials>,
    /// The patch of `reverse_proxy`.
    pub reverse_proxy: Option<Plugin>,
    /// The patch of `authenticator`.
    pub authenticator: Option<Plugin>,
    /// The patch of `error_page`.
    pub error_page: Option<Plugin>,
    /// Who is locked out: asked where the chain authenticates.
    pub locks: Option<Arc<dyn LockCheck>>,
    /// Where logins and requests are recorded.
    pub audit: Option<Arc<dyn AuditLog>>,
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
        for plugin in parts.pre {
            refuse_patches(&plugin)?;
            let named = |name: &str| link_name(&plugin.info.name, name);
            for (name, object) in plugin.offers.authenticators {
                let kind = Kind::Authenticator(Auth::new(object));
                links.push(Link { name: named(&name), kind });
            }
            for (name, object) in plugin.offers.middlewares {
                links.push(Link { name: named(&name), kind: Kind::Middleware(object) });
            }
        }
        let (gate_name, gate) = match (parts.authenticator, parts.credentials) {
            (Some(patch), _) => {
                let (name, path) = (patch.info.name, patch.path);
                let mut offered = patch.offers.authenticators.into_iter();
                let (Some((_, object)), None) = (offered.next(), offered.next()) else {
                    return Err(wrong_place(&path, "it must register one authenticator"));
                };
                (Arc::from(name), Some(Auth::new(object)))
            }
            (None, Some(credentials)) => {
                let object = authenticator_object(BasicAuth(credentials));
                (Arc::from("basic"), Some(Auth::new(object)))
            }
            (None, None) => (Arc::from("authentication"), None),
        };
        let in_pre = links.iter().any(|link| matches!(link.kind, Kind::Authenticator(_)));
        if gate.is_some() || in_pre {
            links.push(Link { name: gate_name, kind: Kind::Gate(gate) });
        }
        for plugin in parts.post {
            refuse_patches(&plugin)?;
            if !plugin.offers.authenticators.is_empty() {
                let what = "it registers an authenticator; use it with --pre-plugin";
                return Err(wrong_place(&plugin.path, what));
            }
            for (name, object) in plugin.offers.middlewares {
                let name = link_name(&plugin.info.name, &name);
                links.push(Link { name, kind: Kind::Middleware(object) });
            }
        }
        let reverse_proxy = match parts.reverse_proxy {
            None => (Arc::from("reverse proxy"), reverse_proxy_object(Untouched)),
            Some(patch) => match patch.offers.reverse_proxy {
                Some(object) => (Arc::from(patch.info.name), object),
                None => return Err(wrong_place(&patch.path, "it registers no reverse_proxy")),
            },
        };
        let error_page_is_patched = parts.error_page.is_some();
        let error_page = match parts.error_page {
            None => (Arc::from("error page"), error_page_object(PlainText)),
            Some(patch) => match patch.offers.error_page {
                Some(object) => (Arc::from(patch.info.name), object),
                None => return Err(wrong_place(&patch.path, "it registers no error_page")),
            },
        };
        let Parts { locks, audit, .. } = parts;
        Ok(Self { links, reverse_proxy, error_page, error_page_is_patched, locks, audit, metrics })
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
                Ok(Turn::Answered) => return index,
                Err(error) => {
                    self.fail(state, error.of(&link.name));
                    return index;
                }
            }
        }
        self.reverse_proxy(state, route).await;
        self.links.len()
    }

    /// Takes the response back up, through the first `passed` links.
    pub(crate) async fn response(&self, state: &mut State, passed: usize) {
        for (index, link) in self.links[..passed].iter().enumerate().rev() {
            let Kind::Middleware(middleware) = &link.kind else { continue };
            state.current = index;
            let mut step = middleware.on_response(Exchange::new(state));
            if let RawStep::Defer = step {
                step = middleware.on_response_async(Exchange::new(state)).await;
            }
            if let Err(error) = apply(state, step) {
                self.fail(state, error.of(&link.name));
            }
        }
    }

    /// Whether anybody may ask for the request's headers once the request has gone upstream: a
    /// response hook, or a patched error page.
    pub(crate) fn looks_back(&self, passed: usize) -> bool {
        passed > 0 || self.error_page_is_patched
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
        let (name, error_page) = &self.error_page;
        let rendered = match error_page.render(Exchange::new(state), shown) {
            ROk(answer) => state.respond(answer),
            RErr(error) => Err(error),
        };
        if let Err(error) = rendered {
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
        let (name, reverse_proxy) = &self.reverse_proxy;
        state.current = self.links.len();
        let mut step = reverse_proxy.rewrite(Exchange::new(state), route);
        if let RawStep::Defer = step {
            step = reverse_proxy.rewrite_async(Exchange::new(state), route).await;
        }
        if let Err(error) = apply(state, step) {
            self.fail(state, error.of(name));
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

fn link_name(plugin: &str, name: &str) -> Arc<str> {
    if name.is_empty() || name == plugin {
        Arc::from(plugin)
    } else {
        Arc::from(format!("{plugin}/{name}"))
    }
}

fn refuse_patches(plugin: &Plugin) -> Result<(), String> {
    match (&plugin.offers.reverse_proxy, &plugin.offers.error_page) {
        (None, None) => Ok(()),
        _ => Err(wrong_place(&plugin.path, "it registers a patch; put it into the patches folder")),
    }
}

fn wrong_place(path: &std::path::Path, what: &str) -> String {
    format!("{}: {what}", path.display())
}
