//! This crate in a sandbox: what authors know, over the contract of `wasm.md`.
//!
//! A call is one JSON text in and one out, so an exchange is a copy here: reads are answered from the
//! input, and what a hook changes is written down for the host, which does it, or refuses it, after
//! the call.

mod body;
mod contract;
mod exchange;
pub(crate) mod export;
mod headers;
mod imports;
mod log;
mod registrar;
mod services;
mod slot;

pub use body::Body;
pub use exchange::Exchange;
pub use registrar::Registrar;
pub use services::{Counter, Gauge, Histogram, HostServices};
