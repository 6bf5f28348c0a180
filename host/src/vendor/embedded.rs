//! The repository's own files that are written to plugins' folders; build.rs has put them here.

use anyhow::{Context, Result};

/// Paths from the root of the repository, in order, and what is there.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// All files under a folder, each with its path from there.
pub(crate) fn under(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().filter_map(move |(path, content)| {
        Some((path.strip_prefix(folder)?.strip_prefix('/')?, *content))
    })
}

/// One file.
pub(crate) fn file(path: &str) -> Result<&'static [u8]> {
    let found = FILES.iter().find(|(name, _)| *name == path);
    let (_, content) = found.with_context(|| format!("this host was built without {path}"))?;
    Ok(content)
}

/// One file that is text.
pub(crate) fn text(path: &str) -> Result<&'static str> {
    std::str::from_utf8(file(path)?).with_context(|| format!("{path} in this host is not in UTF-8"))
}
