//! Why a handler failed.

use std::fmt;

/// What a handler and the calls of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure with its message, which the host logs and counts. Any `std::error::Error` becomes one
/// by `?`.
pub struct Error(String);

impl Error {
    /// A failure with this message.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }

    /// The same failure with what was being done in front: `reading the limit: not a number`.
    #[must_use]
    pub fn context(self, doing: impl fmt::Display) -> Self {
        Self(format!("{doing}: {}", self.0))
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
        Self(message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
