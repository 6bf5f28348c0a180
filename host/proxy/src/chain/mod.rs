//! The chain of plugins around the upstream: PRE → authentication → POST → reverse proxy, and back.

mod auth;
mod beside;
mod build;
mod fail;
mod steps;

pub use auth::LockCheck;
pub use build::{InUse, Parts};

use crate::audit::AuditLog;
use crate::exchange::State;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::service::Connection;
use crate::shadow::{Watch, copies};
use crate::stage::{Decision, Stage};
use auth::{Auth, Gate};
use http::header::AUTHORIZATION;
use plugin_interface::Route;
use plugin_interface::host::{ErrorPageObject, MiddlewareObject, ReverseProxyObject};
use std::ops::Deref;
use std::sync::Arc;

/// What a request passes. One immutable value: a request takes it once and keeps it to its end.
pub struct Chain {
    links: Arc<Links>,
    // After the links: whoever is told by its end that nothing passes them may hold them, and is then the
    // last who does.
    _in_use: Option<InUse>,
}

/// What a chain is made of.
pub struct Links {
    links: Vec<Link>,
    reverse_proxy: Part<Arc<ReverseProxyObject>>,
    error_page: Part<Arc<ErrorPageObject>>,
    locks: Option<Arc<dyn LockCheck>>,
    audit: Option<Arc<dyn AuditLog>>,
    metrics: Arc<Metrics>,
    watches: Vec<Watch>,
}

enum Link {
    Middleware(Part<Arc<MiddlewareObject>>),
    /// One that a PRE plugin brings: asked before the gate.
    Authenticator(Auth),
    /// Where a request must have an identity.
    Gate(Gate),
}

/// One thing that a plugin has registered, with the plugin that answers for it.
struct Part<T> {
    /// For the log: the plugin's name, and its own if it has one.
    name: Arc<str>,
    stage: Arc<Stage>,
    object: T,
}

/// What a link made of a request.
enum Turn {
    Next,
    /// It has answered: the state has the response.
    Answered,
    /// It was not called, or failed and is bypassed.
    Without,
}

impl Deref for Chain {
    type Target = Links;

    fn deref(&self) -> &Links {
        &self.links
    }
}

impl Chain {
    /// Holds its plugins, but not the chain: with this in another hand the last request does not end them,
    /// and wait for what they do in their destructors.
    pub fn hold(&self) -> Arc<Links> {
        self.links.clone()
    }
}

impl Links {
    /// What a request passes, in that order, the host's own parts included; each once. The error
    /// page, which is not on the way, is last.
    pub fn stages(&self) -> Vec<&Arc<Stage>> {
        let mut stages: Vec<&Arc<Stage>> = self.links.iter().map(Link::stage).collect();
        stages.extend([&self.reverse_proxy.stage, &self.error_page.stage]);
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
        state.progress.resume();
        for (index, link) in self.links.iter().enumerate() {
            copies::reaches(state, index);
            state.current = index;
            let turn = match link {
                Link::Middleware(middleware) => self.on_request(state, middleware).await,
                Link::Authenticator(auth) => self.authenticate(state, connection, auth).await,
                Link::Gate(gate) => {
                    let turn = self.gate(state, connection, gate).await;
                    if !forward_authorization {
                        state.request.headers.remove(AUTHORIZATION);
                    }
                    turn
                }
            };
            match turn {
                Ok(Turn::Next) => {}
                Ok(Turn::Without) => {
                    copies::goes_without(state);
                    state.progress.went_without(index);
                }
                Ok(Turn::Answered) => {
                    copies::stops(state, None);
                    return index;
                }
                Err(failure) => {
                    copies::stops(state, Some(&failure));
                    self.fail(state, failure);
                    return index;
                }
            }
        }
        copies::reaches(state, self.links.len());
        state.current = self.links.len();
        copies::rewrites(state, route);
        match self.rewrite(state, route).await {
            Ok(Turn::Next) => copies::goes_upstream(state),
            Ok(Turn::Without) => copies::goes_without(state),
            Ok(Turn::Answered) => copies::stops(state, None),
            Err(failure) => {
                copies::stops(state, Some(&failure));
                self.fail(state, failure);
            }
        }
        self.links.len()
    }

    /// Takes the response back up, through those of the first `passed` links that have seen the
    /// request.
    pub(crate) async fn response(&self, state: &mut State, passed: usize) {
        state.progress.resume();
        for (index, link) in self.links[..passed].iter().enumerate().rev() {
            copies::returns(state, index + 1, passed);
            let Link::Middleware(middleware) = link else { continue };
            if state.progress.is_without(index) {
                copies::goes_without(state);
                continue;
            }
            state.current = index;
            match self.on_response(state, middleware).await {
                Ok(Turn::Without) => copies::goes_without(state),
                Ok(Turn::Next | Turn::Answered) => {}
                Err(failure) => {
                    copies::stops(state, Some(&failure));
                    self.fail(state, failure);
                }
            }
        }
        copies::returns(state, 0, passed);
        state.progress.finish();
    }

    /// Whether anybody may ask for the request's headers once the request has gone upstream: a
    /// response hook, or a patched error page.
    pub(crate) fn looks_back(&self, passed: usize) -> bool {
        passed > 0 || !self.error_page.stage.is_builtin()
    }
}

impl Link {
    fn stage(&self) -> &Arc<Stage> {
        match self {
            Self::Middleware(middleware) => &middleware.stage,
            Self::Authenticator(auth) => &auth.part.stage,
            Self::Gate(gate) => &gate.stage,
        }
    }
}

impl<T> Part<T> {
    fn new(name: &str, stage: &Arc<Stage>, object: T) -> Self {
        let plugin = &*stage.plugin.info.name;
        let name = match name.is_empty() || name == plugin {
            true => Arc::from(plugin),
            false => Arc::from(format!("{plugin}/{name}")),
        };
        Self { name, stage: stage.clone(), object }
    }

    /// Its breaker is open, and nothing passes meanwhile.
    fn refused(&self) -> Failure {
        Failure::Disabled { plugin: self.name.clone(), by: "its breaker" }
    }
}

impl Turn {
    fn decision(&self) -> Decision {
        match self {
            Self::Next => Decision::Next,
            Self::Answered => Decision::Respond,
            Self::Without => Decision::Bypass,
        }
    }
}
