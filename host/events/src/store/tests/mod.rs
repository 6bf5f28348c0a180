//! What holds of both stores, and what only the disk can get wrong.

mod disk;
mod failure;
mod memory;
mod model;

use super::clock::fake::FakeTime;
use super::{DiskStore, FILE_NAME, OpenError, file};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// A day in 2026, in milliseconds.
const TODAY: u64 = 1_790_000_000_000;
const ROOM: usize = 1 << 20;

/// A folder for a store, and the clocks that it sees.
struct Place {
    folder: TempDir,
    time: FakeTime,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), time: FakeTime::at(TODAY) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(FILE_NAME)
    }

    fn open(&self) -> DiskStore {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<DiskStore, OpenError> {
        let path = self.path();
        DiskStore::open_with(&path, file::opener(&path), ROOM, Box::new(self.time.clone()))
    }

    /// Files that were set aside.
    fn aside(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_string_lossy().contains("store.redb.damaged-")).collect()
    }
}

/// What a file has when nobody has it open.
fn saved(path: &Path) -> file::Contents {
    file::File::open(path, file::opener(path)).unwrap().1
}
