//! A file that is put aside when it has its size: `events.ndjson`, `events.ndjson.1`, and so on, the
//! highest number the oldest. (The crates for this panic where a folder cannot be written.)

use crate::LogLimit;
use serde::Deserialize;
use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, rename};
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
    open: Option<File>,
    log: LogLimit,
}

impl Rotating {
    /// Opens the file at its end, or creates it.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let open = Some(open_at(path)?);
        Ok(Self { path: path.to_owned(), rotation, open, log: LogLimit::default() })
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines. After an error none of them is there; should not even that be to be had of the
    /// disk, a line that was cut ends when the file is opened again, which the next call does.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.append_then(lines, |_| Ok(()))
    }

    /// The same, and waits until they are on disk.
    pub fn append_synced(&mut self, lines: &[u8]) -> io::Result<()> {
        self.append_then(lines, sync_lines)
    }

    fn append_then(
        &mut self,
        lines: &[u8],
        then: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut file = match self.open.take() {
            Some(file) => file,
            None => open_at(&self.path)?,
        };
        // Asked for each time: who copies a log away may cut it down.
        let mut before = file.metadata()?;
        if !is_at(&before, &self.path) {
            self.begin_anew(&mut file, &before)?;
            before = file.metadata()?;
        } else if self.is_full(&before, lines) {
            // A file that is too large is better than lines that are lost.
            if let Err(error) = self.rotate(&mut file) {
                self.complain("it grows, since it cannot be put aside", &error);
            }
            before = file.metadata()?;
        }
        append(&mut file, lines, &before, then)?;
        self.open = Some(file);
        Ok(())
    }

    fn is_full(&self, before: &Metadata, lines: &[u8]) -> bool {
        before.len() > 0 && before.len() + lines.len() as u64 > self.rotation.bytes
    }

    /// Another file of the name in place of one that was moved or deleted. If there cannot be one, lines
    /// are better off in the one that was moved than lost: it grows, whatever its size is.
    fn begin_anew(&self, file: &mut File, gone: &Metadata) -> io::Result<()> {
        match open_at(&self.path) {
            Ok(another) => *file = another,
            Err(error) if gone.nlink() == 0 => return Err(error),
            Err(error) => {
                let what = "it was moved, and lines follow it, since it cannot be begun anew";
                self.complain(what, &error);
            }
        }
        Ok(())
    }

    fn complain(&self, what: &str, error: &io::Error) {
        if let Some(unlogged) = self.log.allow() {
            tracing::error!(unlogged, "{}: {what}: {error}", self.path.display());
        }
    }

    fn rotate(&self, file: &mut File) -> io::Result<()> {
        if self.rotation.keep == 0 {
            return file.set_len(0);
        }
        sync_lines(file)?;
        for number in (0..self.rotation.keep).rev() {
            let from = self.numbered(number);
            if from.try_exists()? {
                rename(from, self.numbered(number + 1))?;
            }
        }
        *file = open_at(&self.path)?;
        Ok(())
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

/// Opens a file at its end, or creates it.
fn open_at(path: &Path) -> io::Result<File> {
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
    Ok(file)
}

/// `before`: what the file is now; `then`: what else belongs to it.
fn append(
    file: &mut File,
    lines: &[u8],
    before: &Metadata,
    then: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    file.write_all(lines).and_then(|()| then(file)).inspect_err(|_| {
        if before.is_file() {
            // Should it not be cut, the line ends when it is opened the next time.
            let _ = file.set_len(before.len());
        }
    })
}

/// Whether a file is still the one of that name.
fn is_at(ours: &Metadata, path: &Path) -> bool {
    let there = std::fs::metadata(path);
    there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
}

/// The folder that has the file's name.
fn folder_of(path: &Path) -> &Path {
    let parent = path.parent().unwrap_or(path);
    if parent.as_os_str().is_empty() { Path::new(".") } else { parent }
}

/// Waits until lines are on disk; a pipe or a terminal has none.
fn sync_lines(file: &File) -> io::Result<()> {
    or_unable(file.sync_data())
}

/// Without an error of what cannot be synced at all.
fn or_unable(synced: io::Result<()>) -> io::Result<()> {
    synced.or_else(|error| match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Ok(()),
        _ => Err(error),
    })
}

/// Waits until the names in a folder are on disk, as far as its file system knows how to: `/proc`, for
/// one, does not.
fn sync(folder: &Path) -> io::Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    or_unable(synced).or_else(|error| match error.kind() {
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

    /// They are appended again: a disk that is in trouble must not get them time after time.
    #[test]
    fn lines_that_cannot_be_synced_are_not_there() {
        let (_folder, path) = folder();
        let mut file = Rotating::open(&path, Rotation::NEVER).unwrap();
        file.append(b"1\n").unwrap();
        file.append_then(b"2\n", |_| Err(io::Error::other("no"))).unwrap_err();
        file.append_synced(b"3\n").unwrap();
        assert_eq!(read_to_string(path).unwrap(), "1\n3\n");
    }

    /// As `/dev/stdout` may be; else its lines would come again for ever.
    #[test]
    fn what_has_no_disk_is_synced_when_it_is_written() {
        let mut file = Rotating::open(Path::new("/dev/null"), Rotation::NEVER).unwrap();
        file.append_synced(b"1\n").unwrap();
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

    /// The kept ones are nobody's to push out while the name cannot be had.
    #[test]
    fn one_that_cannot_be_begun_after_it_was_put_aside_pushes_none_out() {
        let (folder, path) = folder();
        let mut file = Rotating::open(&path, Rotation { bytes: 8, keep: 2 }).unwrap();
        file.append(b"1234567\n").unwrap();
        file.append(b"abcdefg\n").unwrap();
        rename(&path, folder.path().join("events.moved")).unwrap();
        std::fs::create_dir(&path).unwrap();
        for _ in 0..4 {
            file.append(b"another\n").unwrap();
        }
        let read = |name: &str| read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("events.1"), "1234567\n");
        assert_eq!(read("events.moved"), format!("abcdefg\n{}", "another\n".repeat(4)));
        assert_eq!(folder.path().read_dir().unwrap().count(), 3);
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
