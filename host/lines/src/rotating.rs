//! A file that is put aside when it has its size: `events.ndjson`, `events.ndjson.1`, and so on, the
//! highest number the oldest. (The crates for this panic where a folder cannot be written.)

use crate::LogLimit;
use serde::Deserialize;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, rename};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// When a file is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// When it has so many bytes.
    pub bytes: u64,
    /// So many old ones are kept, and older ones deleted.
    pub keep: u32,
}

impl Rotation {
    /// It is never put aside.
    pub const NEVER: Self = Self { bytes: u64::MAX, keep: 0 };
}

/// A file of lines, in pieces of a size. If somebody moves or deletes it another is begun.
#[derive(Debug)]
pub struct Rotating {
    path: PathBuf,
    rotation: Rotation,
    /// None after an error: somebody may have mended it when it is opened the next time.
    open: Option<Open>,
    log: LogLimit,
}

#[derive(Debug)]
struct Open(File);

impl Rotating {
    /// Opens the file at its end, or creates it.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let open = Some(Open::at(path)?);
        Ok(Self { path: path.to_owned(), rotation, open, log: LogLimit::default() })
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines. After an error none of them is there; should not even that be to be had of the
    /// disk, a line that was cut ends when the file is opened again, which the next call does.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) if open.is_at(&self.path) => open,
            Some(open) => self.anew(open)?,
            None => Open::at(&self.path)?,
        };
        // Asked for each time: who copies a log away may cut it down.
        let length = open.length()?;
        if length > 0 && length + lines.len() as u64 > self.rotation.bytes {
            match self.rotate(&open) {
                Ok(None) => {}
                Ok(Some(fresh)) => open = fresh,
                // A file that is too large is better than lines that are lost.
                Err(error) => self.complain("it grows, since it cannot be put aside", &error),
            }
        }
        open.append(lines)?;
        self.open = Some(open);
        Ok(())
    }

    /// Another file of the name in place of one that was moved or deleted. If there cannot be one, lines
    /// are better off in the one that was moved than lost.
    fn anew(&self, gone: Open) -> io::Result<Open> {
        Open::at(&self.path).or_else(|error| {
            if gone.0.metadata()?.nlink() == 0 {
                return Err(error);
            }
            self.complain(
                "it was moved, and lines follow it, since it cannot be begun anew",
                &error,
            );
            Ok(gone)
        })
    }

    fn complain(&self, what: &str, error: &io::Error) {
        if let Some(unlogged) = self.log.allow() {
            tracing::error!(unlogged, "{}: {what}: {error}", self.path.display());
        }
    }

    /// Waits until what was appended is on disk.
    pub fn sync(&self) -> io::Result<()> {
        self.open.as_ref().map_or(Ok(()), |Open(file)| file.sync_data())
    }

    /// The file that goes on, unless it is the same.
    fn rotate(&self, Open(file): &Open) -> io::Result<Option<Open>> {
        if self.rotation.keep == 0 {
            file.set_len(0)?;
            return Ok(None);
        }
        file.sync_data()?;
        for number in (0..self.rotation.keep).rev() {
            let from = self.numbered(number);
            if from.try_exists()? {
                rename(from, self.numbered(number + 1))?;
            }
        }
        Open::at(&self.path).map(Some)
    }

    fn numbered(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).read(true).append(true).mode(0o640).open(path)?;
        let metadata = file.metadata()?;
        // It may be new: what is synced in it is lost with its name.
        if metadata.len() == 0 && metadata.is_file() {
            sync(folder_of(path))?;
        }
        // A crash, or a full disk, may have cut the last line.
        if metadata.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(Self(file))
    }

    /// Whether it is still the file of that name.
    fn is_at(&self, path: &Path) -> bool {
        let there = std::fs::metadata(path).and_then(|there| Ok((there, self.0.metadata()?)));
        there.is_ok_and(|(there, ours)| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
    }

    /// Its size; that of a pipe or a terminal is none.
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let before = self.0.metadata()?;
        self.0.write_all(lines).inspect_err(|_| {
            if before.is_file() {
                // Should it not be cut, the line ends when it is opened the next time.
                let _ = self.0.set_len(before.len());
            }
        })
    }
}

/// The folder that has the file's name.
fn folder_of(path: &Path) -> &Path {
    let parent = path.parent().unwrap_or(path);
    if parent.as_os_str().is_empty() { Path::new(".") } else { parent }
}

/// Waits until the names in a folder are on disk, as far as its file system knows how to: `/proc`, for
/// one, does not.
fn sync(folder: &Path) -> io::Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.or_else(|error| match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Ok(()),
        // Who may write there need not be allowed to look what is there.
        io::ErrorKind::PermissionDenied => Ok(()),
        kind => {
            let text = format!("its folder {} cannot be synced: {error}", folder.display());
            Err(io::Error::new(kind, text))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{read_to_string, write};

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        (folder, path)
    }

    #[test]
    fn the_oldest_goes_and_no_line_is_split() {
        let (folder, path) = folder();
        let mut file = Rotating::open(&path, Rotation { bytes: 10, keep: 2 }).unwrap();
        for line in ["1234567\n", "abcdefg\n", "two\nmore\n", "long, longer, longest\n", "x\n"] {
            file.append(line.as_bytes()).unwrap();
        }
        let read = |name: &str| read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("events"), "x\n");
        assert_eq!(read("events.1"), "long, longer, longest\n");
        assert_eq!(read("events.2"), "two\nmore\n");
        assert_eq!(folder.path().read_dir().unwrap().count(), 3);
    }

    #[test]
    fn a_file_that_is_there_grows_and_a_line_cut_by_a_crash_ends() {
        let (_folder, path) = folder();
        write(&path, "whole\ncu").unwrap();
        let rotation = Rotation { bytes: 1000, keep: 1 };
        Rotating::open(&path, rotation).unwrap().append(b"next\n").unwrap();
        Rotating::open(&path, rotation).unwrap().append(b"last\n").unwrap();
        assert_eq!(read_to_string(path).unwrap(), "whole\ncu\nnext\nlast\n");
    }

    #[test]
    fn one_that_is_moved_or_deleted_is_begun_anew() {
        let (folder, path) = folder();
        let mut file = Rotating::open(&path, Rotation::NEVER).unwrap();
        file.append(b"1\n").unwrap();
        rename(&path, folder.path().join("moved")).unwrap();
        file.append(b"2\n").unwrap();
        std::fs::remove_file(&path).unwrap();
        file.append(b"3\n").unwrap();
        assert_eq!(read_to_string(folder.path().join("moved")).unwrap(), "1\n");
        assert_eq!(read_to_string(path).unwrap(), "3\n");
    }

    /// As when a log is moved out of a folder where this user may make no files.
    #[test]
    fn lines_follow_one_that_is_moved_until_there_can_be_another() {
        let (folder, _) = folder();
        let (inner, elsewhere) = (folder.path().join("inner"), folder.path().join("elsewhere"));
        std::fs::create_dir(&inner).unwrap();
        let path = inner.join("events");
        let mut file = Rotating::open(&path, Rotation::NEVER).unwrap();
        rename(&inner, &elsewhere).unwrap();
        file.append(b"1\n").unwrap();
        std::fs::create_dir(&inner).unwrap();
        file.append(b"2\n").unwrap();
        assert_eq!(read_to_string(elsewhere.join("events")).unwrap(), "1\n");
        assert_eq!(read_to_string(path).unwrap(), "2\n");
    }

    #[test]
    fn nothing_follows_one_that_is_deleted() {
        let (folder, _) = folder();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let path = inner.join("events");
        let mut file = Rotating::open(&path, Rotation::NEVER).unwrap();
        std::fs::remove_dir_all(&inner).unwrap();
        assert!(file.append(b"1\n").is_err());
        std::fs::create_dir(&inner).unwrap();
        file.append(b"2\n").unwrap();
        assert_eq!(read_to_string(path).unwrap(), "2\n");
    }

    /// As logrotate does with `copytruncate`.
    #[test]
    fn one_that_is_cut_down_has_room_again() {
        let (folder, path) = folder();
        let mut file = Rotating::open(&path, Rotation { bytes: 10, keep: 1 }).unwrap();
        file.append(b"1234567\n").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        file.append(b"abcdefg\n").unwrap();
        assert_eq!(read_to_string(path).unwrap(), "abcdefg\n");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn one_of_which_nothing_is_kept_begins_again() {
        let (folder, path) = folder();
        let mut file = Rotating::open(&path, Rotation { bytes: 10, keep: 0 }).unwrap();
        for line in ["1234567\n", "abcdefg\n", "x\n"] {
            file.append(line.as_bytes()).unwrap();
        }
        assert_eq!(read_to_string(path).unwrap(), "abcdefg\nx\n");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn the_folder_of_a_name_alone_is_the_current_one() {
        for (path, folder) in
            [("events", "."), ("./events", "."), ("a/events", "a"), ("/events", "/"), ("/", "/")]
        {
            assert_eq!(folder_of(Path::new(path)), Path::new(folder), "{path}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_synced_by_its_nature_is_none_to_fail_for() {
        let file = tempfile::tempfile().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        let mut opened = Rotating::open(Path::new(&path), Rotation::NEVER).unwrap();
        opened.append(b"1\n").unwrap();
        assert_eq!(file.metadata().unwrap().len(), 2);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error() {
        let (folder, _) = folder();
        let nowhere = folder.path().join("no/such/folder");
        assert!(Rotating::open(&nowhere, Rotation { bytes: 1, keep: 1 }).is_err());
    }
}
