//! Audit events from a Teleport cluster, in place of Teleport's own event handler.
//!
//! [`Source::open`] connects to an auth server, [`Source::run`] sends each event on as a [`Read`]: its
//! JSON, and a [`Done`] for whoever has brought it everywhere. Only then does the cursor move, over
//! everything that is done without a gap, and only it is saved: after a crash at any moment nothing is
//! lost, and what is read again is what was under way. [`Locker`] makes locks in the same cluster.
//!
//! ```text
//! connect/   identity files, TLS, the one HTTP/2 connection     rpc  the calls
//!    ↓
//! bulk/      days → chunks, several at a time ┐
//! windowed/  pages of windows of time         ├→ outlet → Read … Done → marks → state/ (saver)
//! sessions/  recordings, and those missing    ┘
//! ```
//!
//! Everything is tried again for ever, with waits that grow up to a limit; nothing waits for something
//! that is broken: neither do chunks for a chunk, nor the audit log for a recording.

mod backoff;
mod bulk;
mod config;
mod connect;
mod error;
mod event;
mod hex;
mod json;
mod lock;
mod marks;
mod metrics;
mod outlet;
mod reader;
mod rpc;
mod saver;
mod sessions;
mod source;
mod state;
mod time;
mod windowed;
mod wire;

pub use config::{Config, Credentials, Timing};
pub use error::{Error, Failure};
pub use lock::Locker;
pub use marks::Done;
pub use metrics::{Metrics, Progress};
pub use outlet::Read;
pub use source::Source;
