//! A plugin, or a built-in part, in its place of a chain.

mod call;
mod ledger;
mod life;
mod policy;
mod seldom;
mod stats;
mod switch;

pub(crate) use call::{Admission, Call, Fate, Progress};
pub(crate) use ledger::Ledger;
pub use life::{Life, State};
pub use policy::{Breaker, OnPanic, Policy};
pub(crate) use stats::Decision;
pub use stats::{Counts, Stats};

use crate::native::{Offers, Plugin};
use seldom::Seldom;
use std::fmt;
use std::sync::Arc;
use switch::{Position, Switch};

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
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Authenticator => "authenticator",
            Self::Post => "post",
            Self::ReverseProxy => "reverse_proxy",
            Self::ErrorPage => "error_page",
        }
    }

    /// Whether it is one of the host's own parts, which patches replace.
    pub fn is_patch(self) -> bool {
        !matches!(self, Self::Pre | Self::Post)
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
    switch: Switch,
    slow_lines: Seldom,
}

impl Stage {
    /// A plugin that is ready to be part of a chain.
    pub fn new(plugin: Plugin, place: Place, policy: Policy, life: Arc<Life>) -> Arc<Self> {
        life.enter(State::Ready);
        let (switch, slow_lines) = (Switch::default(), Seldom::default());
        Arc::new(Self { plugin, place, policy, life, switch, slow_lines })
    }

    /// A part of the host's own.
    pub(crate) fn builtin(name: &str, place: Place, offers: Offers) -> Arc<Self> {
        Self::new(Plugin::builtin(name, offers), place, Policy::default(), Arc::default())
    }

    /// Whether it is a part of the host's own.
    pub fn is_builtin(&self) -> bool {
        self.plugin.path.as_os_str().is_empty()
    }

    /// It is in the chain that new requests take: [`State::Active`], or still [`State::Disabled`]
    /// if it was disabled before.
    pub fn activate(&self) {
        let before = self.life.state();
        self.switch.activate(&self.life);
        if self.life.state() != before {
            self.tell();
        }
    }

    /// It has left that chain: [`State::Draining`].
    pub fn drain(&self) {
        self.switch.drain(&self.life);
        self.tell();
    }

    /// Nothing passes it any more, but it is kept, and may be activated again: [`State::Ready`].
    pub fn keep(&self, reason: &str) {
        self.life.exchange(&[State::Draining], State::Ready, reason);
        self.tell();
    }

    /// Calls it no more, from the next call on, until [`Self::enable`]: an operator's decision, with
    /// the reason that is shown.
    ///
    /// Requests go on without it; where it is a patch, with the built-in part. An authenticator
    /// opens no door that way: where nobody is left who can tell who a client is, requests are
    /// answered with 503.
    ///
    /// An error says why it cannot be.
    pub fn disable(&self, reason: &str) -> Result<(), String> {
        self.is_ours_to_switch()?;
        let off = self.switch.turn_off(reason, &self.life);
        off.map_err(|state| self.not_in_use(state))?;
        self.tell();
        Ok(())
    }

    /// Calls it again, whether an operator or its breaker has disabled it. An error says why it
    /// cannot be.
    pub fn enable(&self) -> Result<(), String> {
        self.is_ours_to_switch()?;
        if self.switch.position() == Position::On {
            return Err(format!("{} is not disabled", self.plugin.info.name));
        }
        self.switch.turn_on(&self.life).map_err(|state| self.not_in_use(state))?;
        self.tell();
        Ok(())
    }

    /// Whether an operator has disabled it.
    pub(crate) fn is_off(&self) -> bool {
        self.switch.position() == Position::Off
    }

    /// Whether one call is all that it sees of a request.
    fn is_called_once(&self) -> bool {
        self.place.is_patch()
    }

    fn is_ours_to_switch(&self) -> Result<(), String> {
        match self.is_builtin() {
            true => Err(format!("{} is a part of the host: it stays", self.plugin.info.name)),
            false => Ok(()),
        }
    }

    /// Each step of a plugin's life is in the log; that it was loaded says whoever loads it.
    fn tell(&self) {
        if self.is_builtin() {
            return;
        }
        let info = &self.plugin.info;
        let (state, _, reason) = self.life.now();
        tracing::info!(
            place = self.place.as_str(),
            version = info.version,
            sha256 = info.sha256.get(..12),
            reason = Some(reason).filter(|reason| !reason.is_empty()),
            "{} is {state}",
            info.name
        );
    }

    fn not_in_use(&self, state: State) -> String {
        format!("{} is {state}, not in use", self.plugin.info.name)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.life.enter(State::Retired);
        self.tell();
    }
}
