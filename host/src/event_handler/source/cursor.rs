//! How far a file was read, on disk.

use anyhow::{Context, Result};
use host_proxy::native::sha256;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const NAME: &str = "cursor";
/// By its first bytes a file is known again.
const HEAD: u64 = 4096;

/// The cursor's file.
#[derive(Debug)]
pub(super) struct Cursor {
    path: PathBuf,
    saved: Saved,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Saved {
    /// So many bytes are done.
    offset: u64,
    /// So many bytes of the file's beginning have this hash.
    head_bytes: u64,
    head: String,
}

impl Cursor {
    /// Reads the cursor of `file` in `folder`, and leaves `file` there. A file that is another one by
    /// now is read from its beginning.
    pub(super) fn open(folder: &Path, file: &mut File, name: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let mut saved = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Saved>(&bytes).unwrap_or_else(|error| {
                let aside = folder.join(format!("damaged.{NAME}"));
                tracing::error!(
                    "{} is damaged ({error}): {} is read from its beginning; it was set aside as {}",
                    path.display(),
                    name.display(),
                    aside.display()
                );
                let _ = fs::rename(&path, aside);
                Saved::default()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Saved::default(),
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            }
        };
        let length = file.metadata()?.len();
        if saved.offset > length || head(file, saved.head_bytes)? != saved.head {
            if saved.offset > 0 {
                tracing::warn!(
                    "{} is another file than before and is read from its beginning",
                    name.display()
                );
            }
            saved = Saved::default();
        }
        if saved.head_bytes < HEAD.min(length) {
            saved.head_bytes = HEAD.min(length);
            saved.head = head(file, saved.head_bytes)?;
        }
        file.seek(SeekFrom::Start(saved.offset))?;
        Ok(Self { path, saved })
    }

    pub(super) fn offset(&self) -> u64 {
        self.saved.offset
    }

    /// Saves how far it is: a crash leaves the old one or this.
    pub(super) fn save(&mut self, offset: u64) -> Result<()> {
        if offset == self.saved.offset {
            return Ok(());
        }
        let saved = Saved { offset, ..self.saved.clone() };
        let new = self.path.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec(&saved)?)?;
            file.sync_all()?;
            fs::rename(&new, &self.path)?;
            File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        write().with_context(|| format!("{} cannot be written", self.path.display()))?;
        self.saved = saved;
        Ok(())
    }
}

fn head(file: &mut File, bytes: u64) -> Result<String> {
    if bytes == 0 {
        return Ok(String::new());
    }
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    file.take(bytes).read_to_end(&mut head)?;
    Ok(sha256(&head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_saved_is_saved_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let (path, state) = (folder.path().join("events"), folder.path().join("state"));
        fs::write(&path, "one\n").unwrap();
        fs::create_dir(&state).unwrap();
        let open = || Cursor::open(&state, &mut File::open(&path).unwrap(), &path).unwrap();
        let mut cursor = open();
        fs::create_dir(state.join("cursor.new")).unwrap(); // nothing can be written there
        cursor.save(4).unwrap_err();
        fs::remove_dir(state.join("cursor.new")).unwrap();
        cursor.save(4).unwrap();
        assert_eq!(open().offset(), 4);
    }

    #[test]
    fn it_goes_on_where_it_was_unless_the_file_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let open = || Cursor::open(folder.path(), &mut File::open(&path).unwrap(), &path).unwrap();
        fs::write(&path, "one\ntwo\n").unwrap();
        let mut cursor = open();
        assert_eq!(cursor.offset(), 0);
        cursor.save(4).unwrap();
        fs::write(&path, "one\ntwo\nthree\n").unwrap();
        let mut cursor = open();
        assert_eq!(cursor.offset(), 4);
        cursor.save(8).unwrap();
        fs::write(&path, "new\ntwo\nthree\n").unwrap();
        assert_eq!(open().offset(), 0, "its beginning is another");
        fs::write(&path, "one\n").unwrap();
        assert_eq!(open().offset(), 0, "it is shorter");
        fs::write(folder.path().join(NAME), "{").unwrap();
        assert_eq!(open().offset(), 0);
        assert!(folder.path().join("damaged.cursor").exists());
    }
}
