//! Files: hashes of what goes into a build, and how its result is put in place.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

/// A hash of the names and contents of files, wherever they are.
pub(crate) fn hash(files: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    for path in files {
        let content = read(path)?;
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        for part in [name, &content] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
    }
    let mut hex = String::new();
    for byte in &hash.finalize()[..16] {
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

/// All files under a folder, in order.
pub(crate) fn under(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            files.extend(under(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// What is directly in a folder, in order.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>())
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    entries.sort();
    Ok(entries)
}

/// The folders directly in a folder.
pub(crate) fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = entries(folder)?;
    folders.retain(|it| it.is_dir());
    Ok(folders)
}

/// The last part of a path.
pub(crate) fn name(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|it| it.to_str());
    name.map(str::to_owned).with_context(|| format!("{} is not in UTF-8", path.display()))
}

/// Makes `to` a copy of `from`, as a whole, and leaves it alone if it is one: whoever has it open or
/// compares its time is not disturbed.
pub(crate) fn install(from: &Path, to: &Path) -> Result<()> {
    let content = read(from)?;
    if fs::read(to).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let put = || {
        let folder = to.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut fresh = NamedTempFile::new_in(folder)?;
        fresh.write_all(&content)?;
        fresh.persist(to)?;
        std::io::Result::Ok(())
    };
    put().with_context(|| format!("cannot write {}", to.display()))
}

/// Runs `make` unless it has been run for the same inputs before and `made` is still there.
pub(crate) fn unless_fresh(
    inputs: &str,
    made: &Path,
    make: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let stamp = made.with_extension("inputs");
    if made.is_file() && fs::read_to_string(&stamp).is_ok_and(|old| old == inputs) {
        return Ok(());
    }
    make()?;
    fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
