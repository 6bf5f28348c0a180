//! Composes the host: command line, configuration, wiring. What it does is in the crates below.

mod admin;
pub mod cli;
mod config;
pub mod control;
pub mod echo;
mod events;
mod file;
pub mod fixtures;
pub mod inspect;
pub mod locks;
pub mod logging;
pub mod new;
pub mod operator;
mod plugins;
pub mod proxy;
pub mod sign;
pub mod test;
pub mod trust;
mod values;
pub mod vendor;

/// The user asked for something that cannot be: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);
