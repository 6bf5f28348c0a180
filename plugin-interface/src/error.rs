//! Why a plugin's call failed.

use crate::owned::{RBox, RString};
#[cfg(not(target_arch = "wasm32"))]
use abi_stable::{
    StableAbi,
    std_types::{RErr, RResult},
};
use std::fmt;

/// What a plugin's calls return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
//
// A newtype and not an enum, so that later kinds break nothing.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "wasm32"), derive(StableAbi))]
pub struct ErrorKind(u8);

impl ErrorKind {
    /// The plugin, or the host on its behalf, says that it could not do it.
    pub const FAILED: Self = Self(0);
    /// The plugin's code panicked; the message is the panic's.
    pub const PANICKED: Self = Self(1);
}

/// A failure with its message: for the log, never for the client.
///
/// Owned by whoever holds it; the memory is freed by the library that made it. Any
/// `std::error::Error` becomes one by `?`.
//
// Boxed, to keep `RawStep` at three words.
#[repr(transparent)]
#[cfg_attr(not(target_arch = "wasm32"), derive(StableAbi))]
pub struct Error(RBox<ErrorParts>);

// Public only because the layout of `Error` names it; its module is not.
#[repr(C)]
#[cfg_attr(not(target_arch = "wasm32"), derive(StableAbi))]
pub struct ErrorParts {
    kind: ErrorKind,
    message: RString,
}

impl Error {
    /// A failure of kind [`ErrorKind::FAILED`].
    pub fn new(message: impl fmt::Display) -> Self {
        Self::of(ErrorKind::FAILED, message.to_string())
    }

    /// Whether it failed or panicked.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, in one line or a few.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The same failure with what was being done in front: `loading keys: no such file`.
    #[must_use]
    pub fn context(self, doing: impl fmt::Display) -> Self {
        Self::of(self.kind(), format!("{doing}: {}", self.message()))
    }

    pub(crate) fn of(kind: ErrorKind, message: String) -> Self {
        Self(RBox::new(ErrorParts { kind, message: message.into() }))
    }
}

// `?` on any std error. For this, `Error` itself is not a `std::error::Error`.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            // Many errors already have their source's text in their own.
            let text = cause.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = cause.source();
        }
        Self::of(ErrorKind::FAILED, message)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl From<Error> for RResult<(), Error> {
    fn from(error: Error) -> Self {
        RErr(error)
    }
}

impl fmt::Debug for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::FAILED => f.write_str("failed"),
            Self::PANICKED => f.write_str("panicked"),
            Self(other) => write!(f, "kind {other}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind(), self.message())
    }
}
