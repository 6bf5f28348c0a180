//! Event plugins as real `.wasm` files, through the pool and the chain: one guest for each way to
//! misbehave, next to healthy ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod batch;
mod functions;
mod kit;
mod load;
mod memory;
mod misbehaving;
mod neighbours;
mod pipeline;
mod policy;
mod pool;
