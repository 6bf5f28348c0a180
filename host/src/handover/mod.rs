//! Another process takes over, and no client notices: for a host that has mapped as many libraries as it
//! may, and for a new version of the host itself.
//!
//! ```text
//! process before                          successor
//!   starts it, lends its sockets      →   loads everything once, with a store in memory
//!   serves on                         ←   loaded
//!   takes no more connections (they wait in the system's queue), ends its pipeline of events,
//!   gives store and state folder up   →   opens them, loads, listens on the same sockets
//!   answers what is under way         ←   serving
//!   audit events of those requests    →   handles them with its own
//!   ends when everybody has left
//! ```
//!
//! - Until the successor is `serving` the process before can go on as if nothing had been: it takes store
//!   and folder back if the successor fails, ends or takes too long.
//! - Both talk in JSON, one message a line, over a pair of sockets; the successor has its end as standard
//!   input, and the sockets that it listens on come over it (`SCM_RIGHTS`, unix(7)).
//! - Whoever has started the host (systemd, a container) watches the first process. When that one has
//!   nothing left to do it becomes a [`supervise`]: a small program that waits for its descendants,
//!   passes signals on, and ends as the last of them did.

mod family;
mod inherited;
mod message;
mod successor;
pub mod supervise;

pub(crate) use family::{adopt, tell_descendants};
pub(crate) use inherited::Inherited;
pub(crate) use message::Role;
pub(crate) use successor::{Heir, Launcher, Socket, Successor};
