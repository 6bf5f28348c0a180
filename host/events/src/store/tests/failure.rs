//! Files that are damaged or of another time, and disks that do not write.

use super::*;
use crate::locks::Locks;
use crate::locks::testing::{lock, user};
use crate::store::file::Opener;
use crate::store::{Store, StoreError};
use redb::backends::FileBackend;
use redb::{Database, StorageBackend, TableDefinition};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// A store with something in it; returns the bytes of its file.
fn filled(place: &Place) -> Vec<u8> {
    let store = place.open();
    for scope in 0..50_u8 {
        store.take_token("p", &[scope], HOUR).unwrap();
    }
    store.upsert(lock(user("bob"), None)).unwrap();
    drop(store);
    std::fs::read(place.path()).unwrap()
}

/// It was set aside, unless it is as good as it was; either way the store is of use.
fn takes_damage(place: &Place, bytes: &[u8], what: &str) -> bool {
    std::fs::write(place.path(), bytes).unwrap();
    let store = place.open();
    let alive = store.take_token("p", &[7], HOUR).unwrap().alive;
    let aside = place.aside();
    match aside.len() {
        0 => assert!(alive == 2 && store.locked("bob").is_some(), "{what}: half a store"),
        _ => assert!(alive == 1 && store.locked("bob").is_none(), "{what}: half a store"),
    }
    for path in &aside {
        std::fs::remove_file(path).unwrap();
    }
    !aside.is_empty()
}

#[test]
fn a_damaged_file_is_set_aside_and_never_deleted() {
    let place = Place::new();
    std::fs::write(place.path(), b"not a database").unwrap();
    let store = place.open();
    store.take_token("p", b"a", HOUR).unwrap();
    drop(store);
    let aside = place.aside();
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read(&aside[0]).unwrap(), b"not a database");
    assert_eq!(place.open().release_tokens("p", b"a"), Ok(1));
}

#[test]
fn a_file_that_was_cut_or_changed_anywhere_is_whole_or_set_aside() {
    let place = Place::new();
    let good = filled(&place);
    assert!(!takes_damage(&place, &good, "the good one"));
    for length in [1, 100, 4096, good.len() / 2, good.len() - 1] {
        assert!(takes_damage(&place, &good[..length], &format!("cut to {length}")));
    }
    let mut damaged = 0;
    for at in (0..good.len()).step_by(good.len() / 60) {
        let mut bytes = good.clone();
        bytes[at..].iter_mut().take(64).for_each(|byte| *byte ^= 0x5a);
        damaged += usize::from(takes_damage(&place, &bytes, &format!("changed at {at}")));
    }
    assert!(damaged > 3, "only {damaged} of the changes hit something");
}

#[test]
fn somebody_elses_database_is_set_aside() {
    const OTHER: TableDefinition<u64, u64> = TableDefinition::new("other");
    let place = Place::new();
    let database = Database::create(place.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(OTHER).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    place.open();
    assert_eq!(place.aside().len(), 1);
}

#[test]
fn a_file_of_a_newer_host_is_refused_and_left_alone() {
    const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
    let place = Place::new();
    filled(&place);
    let database = Database::open(place.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("format", 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let Err(error) = place.try_open() else { panic!("it was taken") };
    assert!(matches!(error, OpenError::Format { format: 2, .. }), "{error}");
    assert!(error.to_string().contains("run the version that wrote it"), "{error}");
    assert_eq!(place.aside(), Vec::<PathBuf>::new());
}

#[test]
fn a_folder_in_the_place_of_the_file_is_an_error_and_not_damage() {
    let place = Place::new();
    std::fs::create_dir(place.path()).unwrap();
    let Err(error) = DiskStore::open(place.folder.path(), ROOM) else { panic!("it was taken") };
    assert!(matches!(error, OpenError::Failed { .. }), "{error}");
    assert!(place.path().is_dir());
}

/// A file on a disk that can be full.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    full: Arc<AtomicBool>,
}

impl Disk {
    fn opener(path: PathBuf, full: &Arc<AtomicBool>) -> Opener {
        let full = full.clone();
        Box::new(move || {
            let mut options = std::fs::OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).open(&path)?;
            let disk = Self { file: FileBackend::new(file)?, full: full.clone() };
            Database::builder().create_with_backend(disk)
        })
    }

    fn room(&self) -> io::Result<()> {
        match self.full.load(SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.room()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.room()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

#[test]
fn a_full_disk_costs_no_count_and_no_lock_once_it_has_room_again() {
    let place = Place::new();
    let full = Arc::new(AtomicBool::new(false));
    let opener = Disk::opener(place.path(), &full);
    let time = Box::new(place.time.clone());
    let store = DiskStore::open_with(&place.path(), opener, ROOM, time).unwrap();
    store.take_token("p", b"before", HOUR).unwrap();
    store.take_token("p", b"released", HOUR).unwrap();
    store.upsert(lock(user("eve"), None)).unwrap();

    full.store(true, SeqCst);
    let Err(StoreError::NotSaved(why)) = store.upsert(lock(user("bob"), None)) else {
        panic!("nobody noticed");
    };
    assert!(why.contains("storage") || why.contains("space"), "{why}");
    assert!(store.locked("bob").is_some(), "a lock that is not saved is in force all the same");
    assert!(store.stats().failing.is_some());
    assert!(matches!(store.remove("tenon-lock-eve"), Err(StoreError::NotSaved(_))));
    store.take_token("p", b"during", HOUR).unwrap();
    store.release_tokens("p", b"released").unwrap();
    for _ in 0..2 {
        let before = store.stats().commits;
        store.set("p", b"k", b"v", None).unwrap();
        store.journal().wait_until(|finished, _| finished > before);
    }

    full.store(false, SeqCst);
    store.journal().wait_until(|_, failing| failing.is_none());
    store.take_token("p", b"after", HOUR).unwrap();
    store.flush().unwrap();
    drop(store);

    let store = place.open();
    for scope in [&b"before"[..], b"during", b"after"] {
        assert_eq!(store.release_tokens("p", scope), Ok(1), "{}", scope.escape_ascii());
    }
    assert_eq!(store.release_tokens("p", b"released"), Ok(0));
    assert_eq!(store.get("p", b"k"), Ok(Some(b"v".to_vec())));
    assert!(store.locked("bob").is_some());
    assert_eq!(store.locked("eve"), None);
}

#[test]
fn a_store_that_is_closed_while_the_disk_is_full_tries_once_more() {
    let place = Place::new();
    let full = Arc::new(AtomicBool::new(false));
    let opener = Disk::opener(place.path(), &full);
    let time = Box::new(place.time.clone());
    let store = DiskStore::open_with(&place.path(), opener, ROOM, time).unwrap();
    full.store(true, SeqCst);
    store.take_token("p", b"a", HOUR).unwrap();
    assert!(store.flush().is_err());
    full.store(false, SeqCst);
    drop(store);
    assert_eq!(place.open().release_tokens("p", b"a"), Ok(1));
}
