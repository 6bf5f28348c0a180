//! Files on their way to a folder.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::embedded;

/// Paths from the folder that the files are for, and their contents.
#[derive(Default)]
pub(crate) struct Files(BTreeMap<PathBuf, Cow<'static, [u8]>>);

impl Files {
    /// Text that was made here.
    pub(crate) fn text(&mut self, path: impl Into<PathBuf>, text: String) {
        self.0.insert(path.into(), Cow::Owned(text.into_bytes()));
    }

    /// A file as it is in the repository.
    pub(crate) fn copy(&mut self, from: &str, to: impl Into<PathBuf>) -> Result<()> {
        self.0.insert(to.into(), Cow::Borrowed(embedded::file(from)?));
        Ok(())
    }

    /// A folder as it is in the repository.
    pub(crate) fn copy_all(&mut self, from: &str, to: impl AsRef<Path>) {
        let files = embedded::under(from);
        self.0.extend(files.map(|(path, it)| (to.as_ref().join(path), Cow::Borrowed(it))));
    }

    /// Other files, in a folder of these.
    pub(crate) fn add(&mut self, folder: &str, others: Self) {
        let others = others.0.into_iter();
        self.0.extend(others.map(|(path, it)| (Path::new(folder).join(path), it)));
    }

    /// Makes a folder of them: all or, after an error, none. The folder may exist if it is empty.
    pub(crate) fn write_new(&self, folder: &Path) -> Result<()> {
        let there = match is_empty(folder) {
            Ok(false) => bail!(
                "{} is not empty: give a folder that does not exist, or an empty one",
                folder.display()
            ),
            Ok(true) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => {
                let reason = format!("cannot make a plugin in {}", folder.display());
                return Err(error).context(reason);
            }
        };
        self.place(folder, there).with_context(|| format!("cannot write {}", folder.display()))
    }

    fn place(&self, folder: &Path, there: bool) -> io::Result<()> {
        let whole = std::path::absolute(folder)?;
        // A folder that is there stays what it is: it may be mounted, or a shell is in it.
        let beside = if there { &whole } else { whole.parent().unwrap_or(&whole) };
        fs::create_dir_all(beside)?;
        let fresh = tempfile::Builder::new()
            .prefix(".host-new-")
            .permissions(Permissions::from_mode(0o777)) // less what the user's umask takes
            .tempdir_in(beside)?;
        for (path, content) in &self.0 {
            let path = fresh.path().join(path);
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(path, content)?;
        }
        if !there {
            fs::rename(fresh.path(), &whole)?;
            let _ = fresh.keep(); // there is nothing left to remove
            return Ok(());
        }
        for entry in fs::read_dir(fresh.path())? {
            let entry = entry?;
            fs::rename(entry.path(), whole.join(entry.file_name()))?;
        }
        Ok(())
    }

    /// Brings those in a folder up to date, each at once, and returns how many were not. What else
    /// is there, its user has put there.
    pub(crate) fn renew(&self, folder: &Path) -> Result<usize> {
        let mut renewed = 0;
        for (path, content) in &self.0 {
            let path = folder.join(path);
            if fs::read(&path).is_ok_and(|old| old == **content) {
                continue;
            }
            replace(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
            renewed += 1;
        }
        Ok(renewed)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(folder)?.next().is_none())
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let permissions = Permissions::from_mode(0o666);
    let mut fresh = tempfile::Builder::new().permissions(permissions).tempfile_in(folder)?;
    fresh.write_all(content)?;
    fresh.persist(path)?;
    Ok(())
}
