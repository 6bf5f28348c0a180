//! The store on disk.

use super::clock::{Clock, SystemTimes, Time};
use super::file::{self, File, Opener};
use super::journal::Journal;
use super::memory::MemoryStore;
use super::writer::Writer;
use super::{Store, StoreError, Token};
use crate::locks::Locks;
use proto::types::LockV2;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The store's file in the folder for what is kept between runs.
pub const FILE_NAME: &str = "store.redb";

/// A store that outlives the process. When it is closed or dropped it writes what is left; that takes
/// one commit.
pub struct DiskStore {
    path: PathBuf,
    memory: Arc<MemoryStore>,
    journal: Arc<Journal>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Why a store on disk cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the store {} is used by another host: stop that one, or choose another state folder", .0.display())]
    InUse(PathBuf),
    /// Its format is not this host's.
    #[error(
        "the store {} has format {format}, which this version of the host does not read: run the \
         version that wrote it, or choose another state folder",
        .path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The number it says.
        format: u64,
    },
    /// The system does not let us.
    #[error("the store {} cannot be opened: {reason}", .path.display())]
    Failed {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

impl OpenError {
    pub(crate) fn failed(path: &Path, reason: &impl ToString) -> Self {
        Self::Failed { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// How a store on disk is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Tokens; those that are over but not yet removed are among them.
    pub tokens: usize,
    /// Values, likewise.
    pub values: usize,
    /// Bytes in use, keys and bookkeeping included.
    pub used: usize,
    /// Bytes that there is room for.
    pub limit: usize,
    /// Changes that the disk does not have yet.
    pub waiting: usize,
    /// Groups that were written since the store was opened.
    pub commits: u64,
    /// Why the file cannot be written at the moment.
    pub failing: Option<String>,
}

impl DiskStore {
    /// Opens the store in this folder, or makes both. It has room for `limit` bytes, keys and
    /// bookkeeping included, in memory and about as much on disk. A damaged file is set aside beside
    /// the new one, which the log says.
    pub fn open(folder: &Path, limit: usize) -> Result<Self, OpenError> {
        let path = folder.join(FILE_NAME);
        prepare(folder, &path)?;
        Self::open_with(&path, file::opener(&path), limit, Box::new(SystemTimes::new()))
    }

    pub(crate) fn open_with(
        path: &Path,
        opener: Opener,
        limit: usize,
        time: Box<dyn Time>,
    ) -> Result<Self, OpenError> {
        let (file, contents) = File::open(path, opener)?;
        let journal = Arc::new(Journal::new());
        let clock = Clock::resume(time, contents.stamp);
        let memory = Arc::new(MemoryStore::with(limit, clock, journal.clone()));
        contents.rows.into_iter().for_each(|(id, row)| memory.restore(id, row));
        let writer = Writer::start(file, memory.clone(), journal.clone(), false)
            .map_err(|error| OpenError::failed(path, &error))?;
        Ok(Self { path: path.to_owned(), memory, journal, writer: Mutex::new(Some(writer)) })
    }

    #[cfg(test)]
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// How it is doing.
    pub fn stats(&self) -> Stats {
        let budget = self.memory.index().budget();
        let (waiting, commits, failing) = self.journal.progress();
        let (values, tokens) = self.memory.index().counts();
        Stats {
            tokens,
            values,
            used: budget.used(),
            limit: budget.limit(),
            waiting,
            commits,
            failing,
        }
    }

    /// Waits until everything that was changed before is on disk.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.journal.flush().map_err(StoreError::NotSaved)
    }

    /// Writes what is left and gives the file up. A program that ends calls it, as it need not come to
    /// drop what its tasks share. What is changed afterwards is not written, unless it is opened again.
    pub fn close(&self) {
        self.journal.stop();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // It does not panic; if it did, there is nothing left to do.
            let _ = writer.join();
        }
    }

    /// After [`Self::close`]: takes the file again. What memory has is the truth, whatever somebody else
    /// has written meanwhile.
    pub fn reopen(&self) -> Result<(), OpenError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_some() {
            return Ok(());
        }
        let (file, _) = File::open(&self.path, file::opener(&self.path))?;
        self.journal.resume();
        match Writer::start(file, self.memory.clone(), self.journal.clone(), true) {
            Ok(started) => *writer = Some(started),
            Err(error) => {
                self.journal.abandon(error.to_string());
                return Err(OpenError::failed(&self.path, &error));
            }
        }
        Ok(())
    }
}

/// Nobody else needs to read who failed to log in.
fn prepare(folder: &Path, path: &Path) -> Result<(), OpenError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| OpenError::failed(folder, &error))?;
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    file.map_err(|error| OpenError::failed(path, &error))?;
    // That there is such a file must survive, too.
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| OpenError::failed(folder, &error))
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl Store for DiskStore {
    fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(space, key)
    }

    fn set(
        &self,
        space: &str,
        key: &[u8],
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.memory.set(space, key, value, ttl)
    }

    fn delete(&self, space: &str, key: &[u8]) -> Result<bool, StoreError> {
        self.memory.delete(space, key)
    }

    fn take_token(&self, space: &str, scope: &[u8], ttl: Duration) -> Result<Token, StoreError> {
        self.memory.take_token(space, scope, ttl)
    }

    fn return_token(&self, space: &str, scope: &[u8], id: u64) -> Result<(), StoreError> {
        self.memory.return_token(space, scope, id)
    }

    fn release_tokens(&self, space: &str, scope: &[u8]) -> Result<u64, StoreError> {
        self.memory.release_tokens(space, scope)
    }
}

impl Locks for DiskStore {
    fn upsert(&self, lock: LockV2) -> Result<(), StoreError> {
        self.memory.upsert(lock)?;
        self.flush()
    }

    fn remove(&self, name: &str) -> Result<bool, StoreError> {
        let removed = self.memory.remove(name)?;
        if removed {
            self.flush()?;
        }
        Ok(removed)
    }

    fn list(&self) -> Vec<LockV2> {
        self.memory.list()
    }

    fn locked(&self, user: &str) -> Option<Arc<str>> {
        self.memory.locked(user)
    }
}
