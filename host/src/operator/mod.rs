//! What an operator sees of the running host, and what he can tell it. The control socket and the admin
//! API are two ways to the same.

mod present;
mod status;

pub(crate) use present::{date, kind, micros, short};

pub use status::{
    Chain, Difference, EventPlugin, Generations, Log, Plugin, Policy, Pool, Queue, Reload, Shadow,
    Status, Store, Traffic,
};

use crate::locks::Lock;
use host_proxy::Phase;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::Pin;

/// What an operator can tell the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Read the configuration, and load what has changed.
    Reload,
    /// Bring the last set of plugins back.
    Rollback,
    /// Have another process take over, which loads everything anew. No connection is dropped.
    Restart,
    /// Put a shadow in the place of what it was compared with.
    Promote {
        /// The candidate's number, as the status has it; needed if there are several shadows.
        #[serde(default)]
        id: Option<u64>,
        /// Also if it was compared on too few requests, or on fewer than could not be compared, if their
        /// decisions differed too often, or a call of it hangs.
        #[serde(default)]
        force: bool,
    },
    /// Call a plugin no more: requests go on without it, or with the built-in part that it replaces. Where
    /// nobody is left who can tell who a client is, they are answered with 503.
    Disable {
        /// Its number, as the status has it.
        id: u64,
    },
    /// Call it again.
    Enable {
        /// Its number.
        id: u64,
    },
    /// Let a locked user in again.
    RemoveLock {
        /// The lock's name.
        name: String,
    },
}

/// What came of a command: a sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// What the host did.
    pub message: String,
}

/// Why a command was not carried out. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Declined {
    /// Whose fault it is.
    pub reason: Reason,
    /// What happened, and what to do.
    pub message: String,
}

/// Whose fault it is that a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no such thing.
    NotFound,
    /// It cannot be done as things are.
    Conflict,
    /// It was tried, and went wrong.
    Failed,
}

/// The running host, for its operator.
pub trait Operator: Send + Sync {
    /// Whether it takes requests. Asked often, and by anybody.
    fn phase(&self) -> Phase;

    /// How it is. Does not wait.
    fn status(&self) -> Status;

    /// The locks that are in force.
    fn locks(&self) -> Vec<Lock>;

    /// Carries out a command; one at a time. To be awaited to the end: what is dropped half-way is half done.
    fn command<'a>(
        &'a self,
        command: Command,
    ) -> Pin<Box<dyn Future<Output = Result<Done, Declined>> + Send + 'a>>;
}
