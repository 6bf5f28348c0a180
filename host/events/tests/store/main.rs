//! What a store on disk has after its process was killed, and that two processes do not share one.
//!
//! The process is this test binary: [`child`] runs in it when a test starts it with a folder.

#![allow(clippy::unwrap_used)] // a test may fail loudly

use host_events::locks::Locks;
use host_events::store::{DEFAULT_LIMIT, DiskStore, OpenError, Store};
use proto::types::{LockSpecV2, LockTarget, LockV2};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

const FOLDER: &str = "TENON_TEST_STORE";
const LOCKING: &str = "TENON_TEST_STORE_LOCKS";
const HOUR: Duration = Duration::from_secs(3600);

fn lock(user: &str) -> LockV2 {
    let target = LockTarget { user: user.to_owned(), ..LockTarget::default() };
    let spec = LockSpecV2 { target: Some(target), ..LockSpecV2::default() };
    LockV2 { spec: Some(spec), ..LockV2::default() }
}

/// Takes tokens, and creates and removes locks, for ever, and says what it has done.
#[test]
#[ignore = "the other tests start it"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = DiskStore::open(Path::new(&folder), DEFAULT_LIMIT).unwrap();
    let locking = std::env::var_os(LOCKING).is_some();
    let mut out = std::io::stdout();
    for round in 0_u64.. {
        let alive = store.take_token("p", b"a", HOUR).unwrap().alive;
        writeln!(out, "token {alive} {}", store.stats().commits).unwrap();
        if alive.is_multiple_of(500) {
            // Or a commit takes longer and longer, and the test with it.
            store.flush().unwrap();
        }
        if locking {
            store.upsert(lock(&round.to_string())).unwrap();
            writeln!(out, "locked {round}").unwrap();
            if round.is_multiple_of(3) {
                // Said first: a removal that nobody has heard of may have happened.
                writeln!(out, "unlocking {round}").unwrap();
                store.remove(&format!("tenon-lock-{round}")).unwrap();
                writeln!(out, "unlocked {round}").unwrap();
            }
        }
    }
}

/// A child at work.
struct Worker {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(folder: &Path, locking: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--ignored", "--nocapture"]).env(FOLDER, folder);
        if locking {
            command.env(LOCKING, "1");
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The first two words of the next thing it did, and a number behind them.
    fn next(&mut self) -> Option<(String, u64, u64)> {
        loop {
            let line = self.lines.next()?.unwrap();
            let mut words = line.split(' ');
            let Some(done) = words
                .next()
                .filter(|word| ["token", "locked", "unlocking", "unlocked"].contains(word))
            else {
                continue; // the test harness speaks too
            };
            let mut number = || words.next().map_or(0, |word| word.parse().unwrap_or(0));
            return Some((done.to_owned(), number(), number()));
        }
    }

    /// Ends it in the middle of what it does; what it said before is still to be read.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It is gone already unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A commit has what was taken before it began. When a token was taken and then two commits ended, the
/// second of them began after it.
fn tokens_on_disk(said: &[(u64, u64)]) -> u64 {
    let commits = said.last().unwrap().1;
    let safe = said.iter().filter(|(_, seen)| seen + 2 <= commits);
    safe.map(|(alive, _)| *alive).max().unwrap_or(0)
}

#[test]
fn a_kill_loses_no_token_that_two_commits_were_made_after() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = 0;
    for _ in 0..3 {
        let mut worker = Worker::start(folder.path(), false);
        let mut said = Vec::new();
        while said.last().is_none_or(|(_, commits)| *commits < 10) {
            let (_, alive, commits) = worker.next().expect("the child ended");
            said.push((alive, commits));
        }
        assert!(said[0].0 > expected, "{:?} comes after {expected}", said[0]);
        worker.kill();
        while let Some((done, alive, commits)) = worker.next() {
            assert_eq!(done, "token");
            // The last line may be half a line.
            if commits >= said.last().unwrap().1 {
                said.push((alive, commits));
            }
        }
        expected = tokens_on_disk(&said);
        assert!(expected > 0);
    }
    let store = DiskStore::open(folder.path(), DEFAULT_LIMIT).unwrap();
    let alive = store.release_tokens("p", b"a").unwrap();
    assert!(alive >= expected, "{alive} of {expected}");
}

#[test]
fn a_kill_loses_no_lock_and_brings_none_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(folder.path(), true);
    let mut state = BTreeMap::new();
    let mut note = |(done, user, _): (String, u64, u64)| match &*done {
        "locked" => drop(state.insert(user, Some(true))),
        "unlocking" => drop(state.insert(user, None)),
        "unlocked" => drop(state.insert(user, Some(false))),
        _ => {}
    };
    loop {
        let next = worker.next().expect("the child ended");
        let enough = next.0 == "locked" && next.1 == 40;
        note(next);
        if enough {
            break;
        }
    }
    worker.kill();
    while let Some(next) = worker.next() {
        note(next);
    }
    let store = DiskStore::open(folder.path(), DEFAULT_LIMIT).unwrap();
    for (user, locked) in state {
        let Some(locked) = locked else { continue };
        assert_eq!(store.locked(&user.to_string()).is_some(), locked, "user {user}");
    }
}

#[test]
fn two_processes_do_not_share_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(folder.path(), false);
    worker.next().expect("the child ended");
    let refused = DiskStore::open(folder.path(), DEFAULT_LIMIT).err();
    assert!(matches!(refused, Some(OpenError::InUse(_))), "{refused:?}");
    worker.kill();
    DiskStore::open(folder.path(), DEFAULT_LIMIT).unwrap();
}
