//! Files that a crash leaves either as they were or as they were to be.

use jiff::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

/// The file has these bytes, on the disk. Its name is there to stay once the folder is synchronised.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(path);
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&unfinished, path)
}

/// More lines of a file, on the disk. A crash may leave the last of them cut.
pub(super) fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(lines)?;
    file.sync_data()
}

/// It is no error if there is none.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Names that were made or removed in the folder stay so.
pub(super) fn synchronise(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The bytes; none if there is no such file.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a folder; none if there is no such folder.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

/// Puts a damaged file aside, so that what was in it can still be looked at.
pub(super) fn set_aside(path: &Path, problem: &str, consequence: &str) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ");
    let aside = path.with_file_name(format!("damaged.{name}.{now}"));
    match fs::rename(path, &aside) {
        Ok(()) => tracing::error!(
            "{} is damaged ({problem}) and was put aside as {}; {consequence}",
            path.display(),
            aside.display(),
        ),
        Err(error) => tracing::error!(
            "{} is damaged ({problem}), and cannot be put aside: {error}; {consequence}",
            path.display(),
        ),
    }
}

/// What a crash has left of files that were being written.
pub(super) fn remove_unfinished(folder: &Path) {
    for name in names(folder).unwrap_or_default() {
        if name.strip_prefix('.').is_some_and(|name| name.strip_suffix(".tmp").is_some()) {
            let _ = remove(&folder.join(name)); // at worst it stays
        }
    }
}
