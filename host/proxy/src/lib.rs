//! Tenon's reverse proxy.
//!
//! A request's way is [`Proxy`]'s: HTTP checks → PRE plugins → authentication → POST plugins →
//! reverse proxy → upstream, and back. [`native`] loads the plugins that it passes; a [`Server`] takes
//! the connections that it comes in on.

mod access;
mod audit;
#[cfg(feature = "bench")]
pub mod bench;
mod body;
mod builtin;
mod chain;
mod config;
mod exchange;
mod failure;
mod headers;
mod metrics;
pub mod native;
mod patience;
mod phase;
mod server;
mod service;
mod shadow;
mod span;
mod stage;
mod store;
mod traffic;
mod upgrade;
mod upstream;
mod wire;

pub use access::{AccessLog, Format, Writer};
pub use audit::{
    AuditEvent, AuditLog, AuditQueue, LoginEvent, LoginOutcome, PluginEvent, RequestEvent,
};
pub use builtin::Credentials;
pub use chain::{Chain, InUse, Links, LockCheck, Parts};
pub use config::{ClientConfig, Config, Drain, Limits, Prefix, Target, Timeouts, UpstreamHttp};
pub use metrics::Metrics;
pub use phase::Phase;
pub use server::{Drained, Listen, Server, Tls};
pub use service::Proxy;
pub use shadow::{Difference, Report, Shadow, ShadowError, ShadowSettings, Target as ShadowTarget};
pub use stage::{Breaker, Counts, Life, OnPanic, Place, Policy, Stage, State, Stats};
pub use store::{MemoryStore, Store, StoreError};
pub use traffic::{Passed, Traffic};
pub use upstream::{Client, TlsError};
