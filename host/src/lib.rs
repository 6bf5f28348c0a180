//! Composes the host: command line, configuration, wiring. What it does is in the crates below.

#[macro_use]
mod say;

pub mod admin;
pub mod cli;
mod config;
pub mod control;
pub mod echo;
pub mod event_handler;
mod events;
mod file;
pub mod fixtures;
pub mod handover;
pub mod inspect;
mod live;
pub mod locks;
pub mod logging;
pub mod new;
pub mod operator;
mod permissions;
mod plugins;
mod policy;
pub mod proxy;
mod shadows;
pub mod sign;
mod state;
pub mod status;
mod table;
pub mod tell;
pub mod test;
pub mod trust;
mod values;
pub mod vendor;
mod wasm;

/// The user asked for something that cannot be: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);
