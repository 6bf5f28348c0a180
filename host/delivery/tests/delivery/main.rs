//! Events to real servers over real sockets.
// Test code fails loudly: a panic here is a failed test, with the reason in its message.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod config;
mod duplicates;
mod files;
mod fluentd;
mod forms;
mod kit;
mod order;
mod outage;
mod refused;
mod restart;
mod speed;
mod syslog;
mod tls;
mod window;
