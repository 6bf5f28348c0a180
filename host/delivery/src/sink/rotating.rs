//! A file that is put aside when it has its size: `events.ndjson`, `events.ndjson.1`, and so on, the
//! highest number the oldest. (The crates for this panic where a folder cannot be written.)

use crate::log_limit::LogLimit;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, rename};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// When a file is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// When it has so many bytes.
    pub bytes: u64,
    /// So many old ones are kept.
    pub keep: u32,
}

/// A file of lines, in pieces of a size.
#[derive(Debug)]
pub struct Rotating {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    length: u64,
    log: LogLimit,
}

impl Rotating {
    /// Opens the file at its end, or creates it.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        let mut file = options.open(path)?;
        let mut length = file.metadata()?.len();
        // A crash, or a full disk, may have cut the last line.
        if length > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                length += 1;
            }
        }
        Ok(Self { path: path.to_owned(), rotation, file, length, log: LogLimit::default() })
    }

    /// Appends whole lines. After an error none of them is there, unless not even that can be had of
    /// the disk: open it anew then, which ends a line that was cut.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.length > 0
            && self.length + lines.len() as u64 > self.rotation.bytes
            && let Err(error) = self.rotate()
            && let Some(unlogged) = self.log.allow()
        {
            // A file that is too large is better than lines that are lost.
            let path = self.path.display();
            tracing::error!(unlogged, "{path} grows, since it cannot be put aside: {error}");
        }
        if let Err(error) = self.file.write_all(lines) {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Whether the file is still the one of that name: somebody may have moved or deleted it.
    pub fn is_in_place(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let there =
                std::fs::metadata(&self.path).and_then(|there| Ok((there, self.file.metadata()?)));
            there.is_ok_and(|(there, ours)| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
        }
        #[cfg(not(unix))]
        true
    }

    /// Waits until what was appended is on disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        for number in (0..self.rotation.keep).rev() {
            let from = self.numbered(number);
            if from.try_exists()? {
                rename(from, self.numbered(number + 1))?;
            }
        }
        if self.rotation.keep == 0 {
            std::fs::remove_file(&self.path)?;
        }
        *self = Self::open(&self.path, self.rotation)?;
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
    fn a_place_that_cannot_be_written_is_an_error() {
        let (folder, _) = folder();
        let nowhere = folder.path().join("no/such/folder");
        assert!(Rotating::open(&nowhere, Rotation { bytes: 1, keep: 1 }).is_err());
    }
}
