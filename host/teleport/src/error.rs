//! What can go wrong, whose fault it is, and what to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a source could not begin, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration has a value that cannot be.
    #[error("{key}: {problem}")]
    Config {
        /// The name of the flag.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of the credentials cannot be used.
    #[error("{}: {problem}; `tctl auth sign` writes a new one", path.display())]
    Credentials {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The state's folder cannot be used.
    #[error("{}: {problem}", path.display())]
    State {
        /// The file or the folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The state was begun with another start time.
    #[error(
        "start-time is {asked}, but this state began with {began}: it cannot be changed later; leave \
         start-time out, or begin anew without the folder {}", folder.display()
    )]
    StartTime {
        /// What the configuration says.
        asked: jiff::Timestamp,
        /// What the state says.
        began: jiff::Timestamp,
        /// Where it is.
        folder: PathBuf,
    },
    /// A call to the auth server.
    #[error(transparent)]
    Call(#[from] Failure),
    /// There is nothing more to read, but some of it could not be read. The next start tries again.
    #[error("{chunks} chunks could not be read, the last for: {last}")]
    Unfinished {
        /// How many.
        chunks: usize,
        /// What was wrong with the last of them.
        last: Failure,
    },
}

impl Error {
    pub(crate) fn credentials(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Credentials { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn state(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::State { path: path.to_owned(), problem: problem.to_string() }
    }
}

/// Why a call to the auth server failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no connection. Trying again may help.
    #[error("{addr}: {problem}")]
    Connect {
        /// Where to.
        addr: String,
        /// Why not.
        problem: String,
    },
    /// One of the two sides does not believe the other's certificate.
    #[error(
        "{addr}: {problem}; is the identity expired, or of another cluster? `tctl auth sign \
         --user=USER --out=FILE` writes a new one"
    )]
    Certificate {
        /// Where to.
        addr: String,
        /// What is wrong with the certificate.
        problem: String,
    },
    /// The role does not allow it.
    #[error("{call}: permission denied ({message}); {remedy}")]
    Denied {
        /// The call.
        call: &'static str,
        /// What the server said.
        message: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The server, or what it keeps its events in, cannot do this.
    #[error("{call}: the auth server does not have it ({message})")]
    Unimplemented {
        /// The call.
        call: &'static str,
        /// What the server said.
        message: String,
    },
    /// There is no such thing, perhaps not yet.
    #[error("{call}: not found ({message})")]
    NotFound {
        /// The call.
        call: &'static str,
        /// What the server said.
        message: String,
    },
    /// Anything else. Trying again may help.
    #[error("{call}: {problem}")]
    Other {
        /// The call.
        call: &'static str,
        /// What the server said, or what became of the connection.
        problem: String,
        /// Whether it is rather the thing asked for that is broken.
        broken: bool,
    },
    /// Nothing came. Trying again may help.
    #[error("{call}: nothing came for {after:?}")]
    Silent {
        /// The call.
        call: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
}

impl Failure {
    /// Whether it says something of what was asked for: there is none, it is broken, or the server cannot
    /// do this. All else says something of the server, of the way to it, or of who we are.
    pub(crate) fn is_of_the_thing(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. } | Self::Unimplemented { .. } | Self::Other { broken: true, .. }
        )
    }

    /// Whether somebody has to do something before trying again can help.
    pub fn needs_somebody(&self) -> bool {
        matches!(self, Self::Certificate { .. } | Self::Denied { .. })
    }
}
