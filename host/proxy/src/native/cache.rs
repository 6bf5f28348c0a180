//! Copies of libraries, named by their content.

use super::refusal::Reason;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{Error, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file, read once: what is checked is what is copied and opened.
pub struct Content {
    /// The whole of it.
    pub bytes: Vec<u8>,
    /// Its SHA-256, in lower-case hexadecimal.
    pub sha256: String,
}

impl Content {
    /// Reads a file.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        let bytes = std::fs::read(path)?;
        let sha256 = sha256(&bytes);
        Ok(Self { bytes, sha256 })
    }

    /// Writes it to `<folder>/<sha256>.<extension>`, unless it is there already, and returns that
    /// path.
    ///
    /// The folder is the user's own: whoever can write there decides what code runs.
    pub fn keep(&self, folder: &Path, extension: &str) -> std::io::Result<PathBuf> {
        put(&self.bytes, folder, &format!("{}.{extension}", self.sha256))
    }

    /// Reads a copy that was kept. One that is not what its name says is none.
    pub fn kept(folder: &Path, sha256: &str, extension: &str) -> std::io::Result<Self> {
        let copy = Self::read(&folder.join(format!("{sha256}.{extension}")))?;
        if copy.sha256 == sha256 { Ok(copy) } else { Err(Error::other("the copy is damaged")) }
    }
}

/// Writes a library to `<folder>/<sha256>.so`, where it can be opened from.
pub(super) fn copy(content: &Content, folder: &Path) -> Result<PathBuf, Reason> {
    content.keep(folder, "so").map_err(|error| Reason::NoCopy { folder: folder.to_owned(), error })
}

fn put(content: &[u8], folder: &Path, name: &str) -> std::io::Result<PathBuf> {
    prepare(folder)?;
    // A path with a slash: without one the dynamic linker would search the system's folders.
    let path = folder.canonicalize()?.join(name);
    // Compared, not trusted by its name: a copy may be damaged, or its disk have been full.
    if std::fs::read(&path).is_ok_and(|copy| copy == content) {
        return Ok(path);
    }
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o500))?;
    // A record may name it, and must not outlive it.
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(path)
}

fn prepare(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mode = std::fs::metadata(folder)?.mode();
    if mode & 0o022 != 0 {
        return Err(Error::other("other users can write there, run chmod 700 on it"));
    }
    Ok(())
}

/// A content's SHA-256, in lower-case hexadecimal.
pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
