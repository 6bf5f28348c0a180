//! Which libraries may be loaded at all.

use std::path::Path;

/// Decides which libraries may be loaded, before anything of them is opened or run.
pub trait Admission: Send + Sync {
    /// Whether a library may be loaded that is at `path`. `content` is what will run: the file is
    /// not read again. `sha256` is its hash, in lower-case hexadecimal.
    ///
    /// An error is what the user is told: why not, and what to do, in a line.
    fn admit(&self, path: &Path, content: &[u8], sha256: &str) -> Result<(), String>;
}
