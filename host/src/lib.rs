//! Composes the host: command line, configuration, wiring. What it does is in the crates below.

mod admin;
pub mod cli;
mod config;
pub mod echo;
mod file;
pub mod inspect;
pub mod logging;
mod plugins;
pub mod proxy;
mod values;
pub mod vendor;

/// The user asked for something that cannot be: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);
