//! Audit events through WebAssembly plugins.
//!
//! An event is a JSON object ([`Event`]). A [`Pipeline`] takes events from a source through a
//! [`Chain`] of [`EventPlugin`]s into [`Sink`]s. A plugin runs in a [`Pool`] of instances, sees the
//! event as protobuf or JSON, and says what becomes of it; it counts in a [`store::Store`], makes
//! locks and sends alerts through what the host lends it ([`Services`]).
//!
//! The pool is of use without the rest: see [`Pool`] for a program that calls plugins of its own.

mod chain;
pub mod codec;
mod event;
pub mod fixture;
mod functions;
pub mod guest;
pub mod harness;
pub mod locks;
mod metrics;
mod pipeline;
mod plugin;
mod pool;
pub mod sink;
pub mod store;

pub use chain::Chain;
pub use event::Event;
pub use extism;
pub use functions::{AlertLog, Alerts, Services};
pub use metrics::{Counts, Metrics};
pub use pipeline::Pipeline;
pub use plugin::{Answer, EventPlugin, Manifest, OnError, Stopped};
pub use pool::{BuildError, CallError, Calling, Module, Pool, PoolBuilder, SlotState};
pub use sink::Sink;
