//! A plugin, or a built-in part, in its place of a chain.

mod life;
mod policy;

pub use life::{Life, State};
pub use policy::{Breaker, OnPanic, Policy};

use crate::native::{Offers, Plugin};
use std::fmt;
use std::sync::Arc;

/// Where in the way of a request something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Before authentication.
    Pre,
    /// At authentication: the built-in or its patch.
    Authenticator,
    /// After authentication.
    Post,
    /// What rewrites the request for the upstream: the built-in or its patch.
    ReverseProxy,
    /// What shows failures: the built-in or its patch.
    ErrorPage,
}

impl Place {
    /// Its name in logs, metrics, files and the API; that of a patch's place is its point's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Authenticator => "authenticator",
            Self::Post => "post",
            Self::ReverseProxy => "reverse_proxy",
            Self::ErrorPage => "error_page",
        }
    }

    /// The place of that name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Pre, Self::Authenticator, Self::Post, Self::ReverseProxy, Self::ErrorPage]
            .into_iter()
            .find(|place| place.as_str() == name)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A plugin in its place: shared by the chains that it is part of, from the first to the last.
///
/// When the last chain with it is gone, and so the last request that it saw, its life ends: it is
/// [`State::Retired`].
pub struct Stage {
    /// What it is.
    pub plugin: Plugin,
    /// Where it stands.
    pub place: Place,
    /// What happens when it fails.
    pub policy: Policy,
    /// What has become of it.
    pub life: Arc<Life>,
}

impl Stage {
    /// A plugin that is ready to be part of a chain.
    pub fn new(plugin: Plugin, place: Place, policy: Policy, life: Arc<Life>) -> Arc<Self> {
        life.enter(State::Ready);
        Arc::new(Self { plugin, place, policy, life })
    }

    /// A part of the host's own.
    pub(crate) fn builtin(name: &str, place: Place, offers: Offers) -> Arc<Self> {
        Self::new(Plugin::builtin(name, offers), place, Policy::default(), Arc::default())
    }

    /// Enters a state, which the log tells: every step of a plugin's life but its loading, which is
    /// told by whoever loads it.
    pub fn enter(&self, state: State) {
        self.enter_because(state, "");
    }

    /// The same with a reason.
    pub fn enter_because(&self, state: State, reason: &str) {
        self.life.enter_because(state, reason);
        if !self.is_builtin() {
            let info = &self.plugin.info;
            tracing::info!(
                place = self.place.as_str(),
                name = info.name,
                version = info.version,
                sha256 = info.sha256.get(..12),
                reason = Some(reason).filter(|reason| !reason.is_empty()),
                "{state}"
            );
        }
    }

    /// Whether it is a part of the host's own.
    pub fn is_builtin(&self) -> bool {
        self.plugin.path.as_os_str().is_empty()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.enter(State::Retired);
    }
}
