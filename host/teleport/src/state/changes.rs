//! What is to be written, in the order in which a crash between two files does no harm.

use super::{Missing, NEVER, Position, date_folder, files};
use crate::error::Error;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The order is that of the writing. Whatever a cursor has passed is noted before the cursor itself: a
/// recording that an event of the log has announced, a chunk that is complete before its cursor goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Missing(Arc<str>),
    Session(Arc<str>),
    StartTime,
    Window,
    Day(Date),
    Completed(Date),
    Chunk(Date, Arc<str>),
    DayGone(Date),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Write(Vec<u8>),
    Append(Vec<u8>),
    Remove,
    Window { position: Position, is_another: bool },
    Folder,
    FolderGone,
}

/// Changes to the state's folder, the last for each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes(BTreeMap<Key, Change>);

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn start_time(&mut self, time: jiff::Timestamp) {
        self.0.insert(Key::StartTime, Change::Write(time.to_string().into()));
    }

    /// A recording is read from this index on.
    pub(crate) fn session(&mut self, id: &Arc<str>, index: i64) {
        let bytes = index.to_be_bytes().to_vec();
        self.0.insert(Key::Session(id.clone()), Change::Write(bytes));
    }

    /// The server does not have a recording yet.
    pub(crate) fn missing(&mut self, id: &Arc<str>, missing: &Missing) {
        // Of an object of three plain fields this cannot fail.
        let bytes = serde_json::to_vec(missing).unwrap_or_default();
        self.0.insert(Key::Missing(id.clone()), Change::Write(bytes));
        self.0.insert(Key::Session(id.clone()), Change::Remove);
    }

    /// A recording was read, or given up.
    pub(crate) fn session_gone(&mut self, id: &Arc<str>) {
        self.0.insert(Key::Session(id.clone()), Change::Remove);
        self.0.insert(Key::Missing(id.clone()), Change::Remove);
    }

    /// Up to here the windows are done. `is_another`: it is not the window of the change before.
    pub(crate) fn window(&mut self, position: Position, mut is_another: bool) {
        if let Some(Change::Window { is_another: before, .. }) = self.0.get(&Key::Window) {
            is_another |= before;
        }
        self.0.insert(Key::Window, Change::Window { position, is_another });
    }

    /// The bulk export has reached a day.
    pub(crate) fn day(&mut self, date: Date) {
        self.0.insert(Key::Day(date), Change::Folder);
    }

    /// The bulk export is over with a day.
    pub(crate) fn day_gone(&mut self, date: Date) {
        self.0.retain(|key, _| match key {
            Key::Day(of) | Key::Completed(of) | Key::Chunk(of, _) => *of != date,
            _ => true,
        });
        self.0.insert(Key::DayGone(date), Change::FolderGone);
    }

    pub(crate) fn completed(&mut self, date: Date, chunk: &Arc<str>) {
        let line = format!("{chunk}\n").into_bytes();
        match self.0.entry(Key::Completed(date)).or_insert(Change::Append(Vec::new())) {
            Change::Append(lines) => lines.extend(line),
            other => *other = Change::Append(line),
        }
        self.0.insert(Key::Chunk(date, chunk.clone()), Change::Remove);
    }

    pub(crate) fn chunk(&mut self, date: Date, chunk: &Arc<str>, cursor: &str) {
        let cursor = Change::Write(cursor.as_bytes().to_vec());
        self.0.insert(Key::Chunk(date, chunk.clone()), cursor);
    }

    /// Writes them. Those that could be written are gone afterwards, also after an error.
    pub(super) fn write(&mut self, folder: &Path) -> Result<(), Error> {
        let mut touched = BTreeSet::new();
        while let Some((key, change)) = self.0.first_key_value() {
            let kind = std::mem::discriminant(key);
            let path = path(folder, key);
            apply(folder, &path, change).map_err(|error| Error::state(&path, error))?;
            touched.extend(path.parent().map(Path::to_owned));
            self.0.pop_first();
            let next = self.0.first_key_value().map(|(key, _)| std::mem::discriminant(key));
            if next != Some(kind) {
                for folder in std::mem::take(&mut touched) {
                    let done = files::synchronise(&folder);
                    done.map_err(|error| Error::state(&folder, error))?;
                }
            }
        }
        Ok(())
    }
}

fn path(folder: &Path, key: &Key) -> PathBuf {
    match key {
        Key::Missing(id) => folder.join(format!("missing_recording{id}")),
        Key::Session(id) => folder.join(format!("session{id}")),
        Key::StartTime => folder.join("start_time"),
        Key::Window => folder.join("window_time"),
        Key::Day(date) | Key::DayGone(date) => date_folder(folder, *date),
        Key::Completed(date) => date_folder(folder, *date).join("completed-chunks"),
        Key::Chunk(date, chunk) => date_folder(folder, *date).join(format!("{chunk}.chunk")),
    }
}

fn apply(folder: &Path, path: &Path, change: &Change) -> io::Result<()> {
    match change {
        Change::Write(bytes) => files::write(path, bytes),
        Change::Append(lines) => files::append(path, lines),
        Change::Remove => files::remove(path),
        Change::Folder => std::fs::create_dir_all(path),
        Change::FolderGone => match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        },
        Change::Window { position, is_another } => window(folder, position, *is_another),
    }
}

/// Three files for one position. Between two of them a crash may leave a page of one with an event of
/// another (then the page is read again) but never a page of one window with the time of another.
fn window(folder: &Path, position: &Position, is_another: bool) -> io::Result<()> {
    let cursor = folder.join("cursor");
    if is_another {
        files::write(&cursor, b"")?;
        files::synchronise(folder)?;
        let time =
            if position.window == NEVER { String::new() } else { position.window.to_string() };
        files::write(&folder.join("window_time"), time.as_bytes())?;
        files::synchronise(folder)?;
    }
    files::write(&folder.join("id"), position.id.as_bytes())?;
    match is_another && position.cursor.is_empty() {
        true => Ok(()),
        false => files::write(&cursor, position.cursor.as_bytes()),
    }
}
