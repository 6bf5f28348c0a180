//! What a sink has acknowledged, on disk.
//!
//! A file of keys that only grows, `acknowledged`, and the one before it, `acknowledged.1`. When the
//! first has so many keys that no event can still come again that is in the second, the second goes
//! and the first takes its place: two renames, no copy.
//!
//! Keys are written as soon as the sink has acknowledged them and before their `done` is called, in one
//! write(2) a delivery. So they survive `kill -9`; a power failure may cost those of the last seconds,
//! which then arrive twice. Nothing is ever lost by a journal that is too old, damaged or gone.

use crate::event::Key;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

const NAME: &str = "acknowledged";
/// The first record of a file: what it is, and in which version.
const MAGIC: &[u8; Key::BYTES] = b"tenon uid keys 1";
/// A file is filled for at least this long: the source saves its cursor twice a second, and what has
/// come since then comes again.
const LEAST_AGE: Duration = Duration::from_secs(2);

/// The journal of one sink.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    /// None after a failure, until it can be opened again.
    file: Option<File>,
    /// In the file.
    keys: usize,
    /// So many are enough to put it aside.
    enough: usize,
    since: Instant,
    /// How often it was put aside since the program started.
    turns: u32,
}

impl Journal {
    /// Opens the journal of a sink, or makes it, and reads it: the oldest key first. It is put aside
    /// when it has `enough` keys: more than events can be on their way at a time.
    pub(super) fn open(folder: &Path, enough: usize) -> io::Result<(Self, Vec<Key>)> {
        fs::create_dir_all(folder)?;
        let mut keys = read(&older(folder))?;
        let before = keys.len();
        keys.extend(read(&folder.join(NAME))?);
        let mut journal = Self {
            folder: folder.to_owned(),
            file: None,
            keys: keys.len() - before,
            enough,
            since: Instant::now(),
            turns: 0,
        };
        journal.reopen()?;
        Ok((journal, keys))
    }

    /// Appends keys. After an error those of this call are not in it.
    pub(super) fn append(&mut self, keys: &[Key]) -> io::Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        if self.keys >= self.enough && self.since.elapsed() >= LEAST_AGE {
            self.turn()?;
        }
        let mut bytes = Vec::with_capacity(keys.len() * Key::BYTES);
        for key in keys {
            bytes.extend_from_slice(key.as_bytes());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.reopen()?,
        };
        if let Err(error) = file.write_all(&bytes) {
            self.file = None; // what was written of it is cut off when it is opened
            return Err(error);
        }
        self.keys += keys.len();
        Ok(())
    }

    /// Whether so much was written since the program started that nothing read can come again.
    pub(super) fn has_turned_over(&self) -> bool {
        self.turns >= 2
    }

    /// Makes it survive a power failure.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    fn turn(&mut self) -> io::Result<()> {
        self.file = None;
        fs::rename(self.folder.join(NAME), older(&self.folder))?;
        self.keys = 0;
        self.since = Instant::now();
        self.turns += 1;
        self.reopen()?;
        Ok(())
    }

    /// Opens the file at the end of its last whole key that was counted.
    fn reopen(&mut self) -> io::Result<&mut File> {
        let path = self.folder.join(NAME);
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        let mut file = options.open(path)?;
        if file.metadata()?.len() < MAGIC.len() as u64 {
            self.keys = 0;
            file.set_len(0)?;
            file.write_all(MAGIC)?;
        } else {
            file.set_len(((self.keys + 1) * Key::BYTES) as u64)?;
        }
        Ok(self.file.insert(file))
    }
}

fn older(folder: &Path) -> PathBuf {
    folder.join(format!("{NAME}.1"))
}

/// The keys of a file; none if there is none. A file that is none of ours is set aside.
fn read(path: &Path) -> io::Result<Vec<Key>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let (records, _cut) = bytes.as_chunks::<{ Key::BYTES }>();
    match records.split_first() {
        Some((first, keys)) if first == MAGIC => {
            Ok(keys.iter().map(|key| Key::from_bytes(*key)).collect())
        }
        // Cut by a crash before it was begun.
        None => fs::remove_file(path).map(|()| Vec::new()),
        Some(_) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let mut aside = path.to_owned().into_os_string();
            aside.push(format!(".damaged-{}", now.as_secs()));
            fs::rename(path, &aside)?;
            tracing::error!(
                "{} is damaged and was set aside as {}: events that were on their way may arrive \
                 twice",
                path.display(),
                aside.display()
            );
            Ok(Vec::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(numbers: std::ops::Range<u32>) -> Vec<Key> {
        numbers.map(|number| Key::of(None, &number.to_string())).collect()
    }

    #[test]
    fn what_was_appended_is_read_again_without_an_orderly_end() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, read) = Journal::open(folder.path(), 10).unwrap();
        assert!(read.is_empty());
        journal.append(&keys(0..3)).unwrap();
        journal.append(&keys(3..5)).unwrap();
        std::mem::forget(journal);
        let (mut journal, read) = Journal::open(folder.path(), 10).unwrap();
        assert_eq!(read, keys(0..5));
        journal.append(&keys(5..6)).unwrap();
        assert_eq!(Journal::open(folder.path(), 10).unwrap().1, keys(0..6));
    }

    #[test]
    fn it_is_bounded_and_keeps_the_last_ones() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path(), 10).unwrap();
        for round in 0..7 {
            journal.append(&keys(round * 5..round * 5 + 5)).unwrap();
            journal.since = Instant::now().checked_sub(LEAST_AGE).unwrap();
        }
        assert!(journal.has_turned_over());
        let (_, read) = Journal::open(folder.path(), 10).unwrap();
        assert_eq!(read, keys(20..35));
        assert_eq!(folder.path().read_dir().unwrap().count(), 2);
    }

    #[test]
    fn it_is_not_turned_before_the_source_can_have_saved_its_cursor() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path(), 10).unwrap();
        for round in 0..10 {
            journal.append(&keys(round * 10..round * 10 + 10)).unwrap();
        }
        assert_eq!(Journal::open(folder.path(), 10).unwrap().1, keys(0..100));
    }

    #[test]
    fn a_key_that_was_cut_is_left_out_and_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path(), 10).unwrap();
        journal.append(&keys(0..2)).unwrap();
        let file = OpenOptions::new().append(true).open(folder.path().join(NAME)).unwrap();
        (&file).write_all(b"cut").unwrap();
        let (mut journal, read) = Journal::open(folder.path(), 10).unwrap();
        assert_eq!(read, keys(0..2));
        journal.append(&keys(2..3)).unwrap();
        assert_eq!(Journal::open(folder.path(), 10).unwrap().1, keys(0..3));
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_the_other_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path(), 10).unwrap();
        journal.append(&keys(0..2)).unwrap();
        fs::write(older(folder.path()), [7; 100]).unwrap();
        assert_eq!(Journal::open(folder.path(), 10).unwrap().1, keys(0..2));
        let names = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        assert!(names.iter().any(|name| name.starts_with("acknowledged.1.damaged-")), "{names:?}");
    }
}
