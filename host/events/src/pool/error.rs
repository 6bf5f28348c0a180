//! Why a call came to nothing.

use std::sync::Arc;
use std::time::Duration;

/// Why a call of a plugin came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It ran longer than it may, and was ended.
    #[error("ran longer than {0:?} and was ended; raise its timeout if it needs more")]
    Timeout(Duration),
    /// It wanted more memory than it may have.
    #[error("wanted more than its {0} bytes of memory")]
    OutOfMemory(u64),
    /// It trapped: a panic, an abort, an access out of bounds.
    #[error("trapped: {0}")]
    Trap(Arc<str>),
    /// The host declined what it asked for, in the middle of the call.
    #[error("was refused by the host: {0}")]
    Refused(Arc<str>),
    /// It said itself that it failed.
    #[error("failed: {0}")]
    Failed(Arc<str>),
    /// It returned what cannot be understood.
    #[error("returned {0}")]
    Garbage(Arc<str>),
    /// It has no such export.
    #[error("exports no function {0:?}")]
    NoExport(Arc<str>),
    /// No instance of it could be made.
    #[error("cannot be instantiated: {0}")]
    Instance(Arc<str>),
    /// The pool is being closed.
    #[error("is being closed")]
    Closed,
}

impl CallError {
    /// Whether it costs so much that a plugin which goes on like that has to rest.
    pub(crate) fn is_costly(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::OutOfMemory(_) | Self::Trap(_) | Self::Instance(_))
    }

    /// Whether the instance may be in any state, and is not used again.
    pub(super) fn spoils(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::OutOfMemory(_) | Self::Trap(_) | Self::Refused(_))
    }
}

/// Why a pool cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The module is not what this host can run.
    #[error("{plugin}: {reason}")]
    Module {
        /// The plugin's name.
        plugin: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}
