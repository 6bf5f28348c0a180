//! The event handler, from events in a file or a cluster to where they go.
// A test fails loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cluster;
mod configure;
mod killed;
mod kit;
mod lines;
mod locks;
mod measure;
mod outage;
mod probes;
mod settings;
mod storage;
