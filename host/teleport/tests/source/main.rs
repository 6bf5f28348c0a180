//! The source against a fake auth server: over real sockets and mutual TLS, a fault a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails loudly

mod bulk;
mod bulk_faults;
mod connect;
mod folder;
mod kit;
mod locks;
mod measure;
mod resume;
mod sessions;
mod windowed;
