//! What is remembered between runs: which contents are in use, in `plugins.json` in the state folder.
//!
//! The contents themselves are beside it, in `plugins/<sha256>`. The record is written after every
//! swap, so that a host that was killed comes up with what it had: see [`super::first`].

use super::declared::Key;
use super::disabled::Disabled;
use super::marks::{Listed, Marks};
use super::promote::Promotion;
use crate::state::COPIES;
use anyhow::{Context, Result};
use host_proxy::native::Content;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const RECORD: &str = "plugins.json";
const LOCK: &str = "host.lock";

/// What was in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Whether the run ended in an orderly way.
    pub(crate) clean: bool,
    pub(crate) plugins: Vec<Entry>,
    /// What stays out, since it was rolled back.
    #[serde(default)]
    pub(crate) rolled_back: Vec<Held>,
    /// What was promoted.
    #[serde(default)]
    pub(crate) promoted: Vec<Promoted>,
    /// What an operator has disabled.
    #[serde(default)]
    pub(crate) disabled: Disabled,
    /// Whether requests had to have an identity.
    #[serde(default)]
    pub(crate) gate: bool,
}

/// A shadow that was promoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Promoted {
    #[serde(flatten)]
    pub(crate) key: Key,
    pub(crate) promotion: Promotion,
}

/// A plugin that was in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(flatten)]
    pub(crate) listed: Listed,
    /// Its file.
    pub(crate) file: PathBuf,
    pub(crate) sha256: String,
}

/// A content that stays out until the file changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    #[serde(flatten)]
    pub(crate) key: Key,
    /// None: what stays out is that there is no file.
    pub(crate) content: Option<String>,
}

impl Record {
    /// Of a first run: like one after an orderly end, there is nothing to fall back on.
    pub(crate) fn none() -> Self {
        Self { clean: true, ..Self::default() }
    }

    /// That in a state folder, which may be another process's. One that cannot be read is none, which the
    /// log tells.
    pub(crate) fn read(folder: &Path) -> Self {
        let path = folder.join(RECORD);
        let read = || -> Result<Option<Self>> {
            match fs::read(&path) {
                Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        match read() {
            Ok(found) => found.unwrap_or_else(Self::none),
            Err(error) => {
                let path = path.display();
                tracing::error!(
                    "{path}, where the plugins of the last run are, cannot be read: {error}"
                );
                Self::none()
            }
        }
    }

    /// What was disabled.
    pub(super) fn marks(&self) -> Marks {
        let plugins = self.plugins.iter().map(|entry| entry.listed.clone()).collect();
        Marks { plugins, disabled: self.disabled.clone() }
    }

    /// What was in use, by key.
    pub(crate) fn in_use(&self) -> BTreeMap<Key, Entry> {
        by_key(self.plugins.clone())
    }
}

/// Entries by key.
pub(crate) fn by_key(entries: Vec<Entry>) -> BTreeMap<Key, Entry> {
    entries.into_iter().map(|entry| (entry.listed.key.clone(), entry)).collect()
}

/// The state folder, as long as this host has it to itself.
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked: released by the system when the process ends, however it does.
    lock: File,
    /// Whether it is: not while another process has the folder, or may have it.
    held: AtomicBool,
}

impl Folder {
    /// Takes the folder, or makes it. `None` if another host has it.
    pub(crate) fn take(path: &Path) -> Result<Option<Self>> {
        let cannot = || format!("the state folder {} cannot be used", path.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(cannot)?;
        let options = File::options().create(true).append(true).open(path.join(LOCK));
        let lock = options.with_context(cannot)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path: path.to_owned(), lock, held: AtomicBool::new(true) })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error).with_context(cannot),
        }
    }

    /// Lets another host have it.
    pub(crate) fn release(&self) {
        self.held.store(false, Ordering::Relaxed);
        if let Err(error) = self.lock.unlock() {
            tracing::error!("the state folder {} is not given up: {error}", self.path.display());
        }
    }

    /// Takes it again, if it was given up.
    fn retake(&self) -> Result<()> {
        if !self.held.load(Ordering::Relaxed) {
            let path = self.path.display();
            let taken = self.lock.try_lock();
            taken.with_context(|| format!("another host has the state folder {path}"))?;
            self.held.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The record of the last run. One that cannot be read is none, which the log tells.
    pub(crate) fn record(&self) -> Record {
        Record::read(&self.path)
    }

    /// Replaces the record: all of it is on disk when this returns, or the old one is still there. What
    /// was given up is taken again first; it is an error if another host has it meanwhile.
    pub(crate) fn write(&self, record: &Record) -> Result<()> {
        self.retake()?;
        let write = || -> Result<()> {
            let mut file = tempfile::Builder::new().prefix(".plugins-").tempfile_in(&self.path)?;
            file.write_all(&serde_json::to_vec_pretty(record)?)?;
            file.as_file().sync_all()?;
            file.persist(self.path.join(RECORD))?;
            File::open(&self.path)?.sync_all()?;
            Ok(())
        };
        let cannot = || {
            let path = self.path.display();
            format!("which plugins are in use cannot be remembered in {path}/{RECORD}")
        };
        write().with_context(cannot)
    }

    /// Removes copies that nothing names, and what a killed run left half-written.
    pub(crate) fn tidy(&self, named: &HashSet<String>) {
        let Ok(entries) = fs::read_dir(self.path.join(COPIES)) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            if !named.contains(&*stem) {
                // What cannot be removed takes room, and does no harm.
                let _ = fs::remove_file(&path);
            }
        }
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(".plugins-") {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// What a copy's name ends with, by what it is.
pub(crate) fn extension(content: &Content) -> &'static str {
    if content.bytes.starts_with(b"\0asm") { "wasm" } else { "so" }
}

/// A copy in this folder of copies.
pub(crate) fn copy(folder: &Path, sha256: &str) -> io::Result<Content> {
    Content::kept(folder, sha256, "so").or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Content::kept(folder, sha256, "wasm"),
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let key = Key { place: "pre".to_owned(), asked: PathBuf::from("a.so"), nth: 1 };
        let held = Held { key: key.clone(), content: None };
        let listed = Listed { key: key.clone(), config: "11".to_owned() };
        let entry = Entry { listed, file: PathBuf::from("/a.so"), sha256: "00".to_owned() };
        let (plugins, rolled_back, disabled) = (vec![entry], vec![held], Disabled::from([key]));
        let promoted = Vec::new();
        Record { clean: true, plugins, rolled_back, promoted, disabled, gate: true }
    }

    #[test]
    fn a_record_is_what_was_written_and_a_damaged_one_is_none() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::take(state.path()).unwrap().unwrap();
        assert_eq!(folder.record(), Record::none());
        folder.write(&record()).unwrap();
        assert_eq!(folder.record(), record());
        let text = fs::read_to_string(state.path().join(RECORD)).unwrap();
        fs::write(state.path().join(RECORD), &text[..text.len() / 2]).unwrap();
        assert_eq!(folder.record(), Record::none());
    }

    #[test]
    fn a_folder_is_one_hosts_until_it_ends() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("state");
        let folder = Folder::take(&path).unwrap();
        assert!(folder.is_some());
        assert!(Folder::take(&path).unwrap().is_none());
        drop(folder);
        assert!(Folder::take(&path).unwrap().is_some());
    }

    #[test]
    fn copies_that_nothing_names_are_removed() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::take(state.path()).unwrap().unwrap();
        let copies = state.path().join(COPIES);
        let content = |bytes: &[u8]| {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), bytes).unwrap();
            Content::read(file.path()).unwrap()
        };
        let (kept, module, unknown) = (content(b"1"), content(b"\0asm"), content(b"3"));
        for it in [&kept, &module, &unknown] {
            it.keep(&copies, extension(it)).unwrap();
        }
        fs::write(copies.join(".tmp-x"), "half").unwrap();
        folder.tidy(&HashSet::from([kept.sha256.clone(), module.sha256.clone()]));
        assert_eq!(fs::read_dir(&copies).unwrap().count(), 2);
        assert_eq!(copy(&copies, &module.sha256).unwrap().bytes, b"\0asm");
        assert!(copy(&copies, &unknown.sha256).is_err());
        // One that was tampered with is not taken for what its name says.
        let path = copies.join(format!("{}.so", kept.sha256));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "2").unwrap();
        assert_eq!(copy(&copies, &kept.sha256).err().unwrap().to_string(), "the copy is damaged");
    }
}
