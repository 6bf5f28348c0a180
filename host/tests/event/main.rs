//! Event plugins and what belongs to them.
// A test fails loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod classes;
mod harness;
mod lockout;
mod new;
mod templates;
