//! Copies of libraries, named by their content.

use super::refusal::Reason;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{Error, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A library's file, read once: what is checked is what is copied and opened.
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: String,
}

pub(super) fn read(library: &Path) -> Result<Content, Reason> {
    let bytes = std::fs::read(library).map_err(Reason::Unreadable)?;
    let sha256 = sha256(&bytes);
    Ok(Content { bytes, sha256 })
}

/// Writes a library to `<folder>/<sha256>.so`, unless it is there already, and returns that path.
///
/// The folder is the user's own: whoever can write there decides what code runs.
pub(super) fn copy(content: &Content, folder: &Path) -> Result<PathBuf, Reason> {
    put(&content.bytes, folder, &content.sha256)
        .map_err(|error| Reason::NoCopy { folder: folder.to_owned(), error })
}

fn put(content: &[u8], folder: &Path, sha256: &str) -> std::io::Result<PathBuf> {
    prepare(folder)?;
    // A path with a slash: without one the dynamic linker would search the system's folders.
    let path = folder.canonicalize()?.join(format!("{sha256}.so"));
    // Compared, not trusted by its name: a copy may be damaged, or its disk have been full.
    if std::fs::read(&path).is_ok_and(|copy| copy == content) {
        return Ok(path);
    }
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o500))?;
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
