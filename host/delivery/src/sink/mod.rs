//! Where events go.
//!
//! | kind | an event has arrived when | order |
//! |---|---|---|
//! | [`fluentd`] | the server has answered 200 or 204 | as many connections as requests may overtake |
//! | [`http`] | it has answered 2xx, and the body of its answer does not say otherwise | the same; one connection unless configured |
//! | [`mod@file`] | it is on disk (`fsync = false`: the kernel has it) | exact |
//! | [`stdout`] | the kernel has it | exact |
//! | [`syslog`] | the kernel has it: syslog has no acknowledgement | exact, but for what is sent again |

pub mod file;
pub mod fluentd;
pub mod http;
mod json;
pub mod stdout;
pub mod syslog;

use crate::event::Event;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A delivery under way. Dropped before its end, the events may have arrived or not.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// A place where events go.
pub trait Sink: Send + Sync {
    /// Delivers events, in order, once: whoever calls tries again. When it returns `Ok` they are out
    /// of this program's hands. It must come to an end, with a time limit of its own.
    fn deliver<'a>(&'a self, events: &'a [Arc<Event>]) -> Delivering<'a>;

    /// What it takes at once.
    fn limits(&self) -> Limits;

    /// Where an event goes within this sink: only events with the same destination travel together.
    fn destination<'a>(&self, event: &'a Event) -> &'a str {
        let _ = event;
        ""
    }
}

/// What a sink takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many deliveries at the same time.
    pub connections: usize,
    /// So many events in one.
    pub events: usize,
    /// So many bytes of JSON in one, unless a single event has more.
    pub bytes: usize,
}

/// Why events have not arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// All of them are to be brought again later.
    Later(Later),
    /// They will never be taken, for a reason that lies in at least one of them.
    Refused(String),
    /// Some have arrived. Indices are those of the events delivered.
    Partly {
        /// To be brought again, and why.
        later: Option<(Vec<usize>, Later)>,
        /// Never taken, and why.
        refused: Vec<(usize, String)>,
    },
}

/// Why something is to be tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Later {
    /// What happened, for the log.
    pub reason: String,
    /// Not before this time has passed, if the sink has said so.
    pub wait: Option<Duration>,
    /// Somebody has to change a configuration, here or there: trying again alone will not help.
    pub mend: bool,
}

impl Failure {
    /// A failure that may pass by itself.
    pub fn passing(reason: impl Into<String>) -> Self {
        Self::Later(Later { reason: reason.into(), ..Later::default() })
    }
}
