//! The thread that brings the journal to the disk.

use super::file::File;
use super::journal::{Batch, Journal};
use super::memory::MemoryStore;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

/// So many rows of each shard are cleaned away at a time: others wait for the shard meanwhile.
const CLEANED: usize = 512;

pub(crate) struct Writer {
    file: File,
    memory: Arc<MemoryStore>,
    journal: Arc<Journal>,
    /// The file has to be written anew, as nobody knows what it has.
    behind: bool,
    /// The last write failed, which the log says.
    failing: bool,
}

impl Writer {
    /// `behind`: the file may lack some of what memory has, or have more.
    pub(crate) fn start(
        file: File,
        memory: Arc<MemoryStore>,
        journal: Arc<Journal>,
        behind: bool,
    ) -> std::io::Result<JoinHandle<()>> {
        let writer = Self { file, memory, journal, behind, failing: false };
        std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run())
    }

    fn run(mut self) {
        let mut last = Instant::now();
        while let Some(batch) = self.journal.next(last) {
            last = Instant::now();
            if self.behind || !batch.is_empty() {
                self.write(&batch);
            }
            self.memory.clean(CLEANED);
        }
        // At the end always, for the time: the next run counts from here.
        self.write(&Batch::default());
    }

    fn write(&mut self, batch: &Batch) {
        let stamp = self.memory.clock().stamp();
        let result = match self.behind {
            // The batch was taken before memory is read: whatever is in it is in memory too.
            true => self.file.rewrite(self.memory.rows(), stamp),
            false => self.file.commit(batch, stamp),
        };
        let path = self.file.path().display();
        match &result {
            Ok(()) if self.failing => tracing::info!("the store {path} is written again"),
            Err(error) if !self.failing => tracing::error!(
                "the store {path} cannot be written ({error}); counts and locks go on in memory, and \
                 it is tried again: make room on the disk, or see what is wrong with it"
            ),
            _ => {}
        }
        self.behind = result.is_err();
        self.failing = self.behind;
        self.journal.finish(result);
    }
}
