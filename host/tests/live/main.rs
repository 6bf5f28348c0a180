//! Plugins of the running host: replaced, refused, rolled back, remembered; through the real binary,
//! files and sockets.
// A test fails loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commands;
mod config;
mod events;
mod files;
mod gate;
mod handover;
mod killed;
mod kit;
mod load;
mod patches;
mod rollback;
mod shadow;
mod start;
mod trust;
