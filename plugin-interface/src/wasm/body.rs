//! Bodies, which a sandbox sees as a whole.

use crate::error::{Error, Result};

/// The body of a message, owned.
pub struct Body(Kind);

enum Kind {
    Whole(Vec<u8>),
    /// The host has it; why it is not here.
    Elsewhere(&'static str),
}

impl Body {
    /// No bytes at all.
    pub fn empty() -> Self {
        Self(Kind::Whole(Vec::new()))
    }

    /// One buffer.
    pub fn from_owner(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::of(bytes.as_ref().to_vec())
    }

    /// The bytes; an error if there are more than `limit`, or more than the host sends into a sandbox
    /// (`body-limit` of the plugin's configuration).
    #[allow(clippy::unused_async)] // as for native plugins, whose bodies are streams
    pub async fn collect(self, limit: usize) -> Result<Vec<u8>> {
        match self.0 {
            Kind::Whole(bytes) if bytes.len() <= limit => Ok(bytes),
            Kind::Whole(_) => Err(Error::new(format_args!("the body has more than {limit} bytes"))),
            Kind::Elsewhere(why) => Err(Error::new(why)),
        }
    }

    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self(Kind::Whole(bytes))
    }

    /// One that the host has not sent.
    pub(super) fn elsewhere() -> Self {
        Self(Kind::Elsewhere("the body is not here yet: return Step::Defer, and read it then"))
    }

    /// One that the host does not send.
    pub(super) fn too_large() -> Self {
        Self(Kind::Elsewhere(
            "the body has more bytes than the host sends into a sandbox; raise body-limit",
        ))
    }

    /// None: the one that the host has.
    pub(super) fn into_bytes(self) -> Option<Vec<u8>> {
        match self.0 {
            Kind::Whole(bytes) => Some(bytes),
            Kind::Elsewhere(_) => None,
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}
