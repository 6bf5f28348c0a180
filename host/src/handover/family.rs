//! The processes that come of this one.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From now on a descendant whose parent ends is this process's child, as it would be of the system's
/// first process otherwise: `prctl(2)`, `PR_SET_CHILD_SUBREAPER`.
pub(crate) fn adopt() {
    if let Err(error) = nix::sys::prctl::set_child_subreaper(true) {
        tracing::warn!("processes that take over later will not be looked after: {error}");
    }
}

/// Passes a signal on to all that has taken over from this process: once to each. Only the first process
/// does so; others may be about to end, and would lose it.
pub(crate) fn tell_descendants(signal: Signal) {
    let program = program(Path::new("/proc/self/exe"));
    let mut told = BTreeSet::new();
    loop {
        // One whose parent ends meanwhile is somewhere else the next time.
        let found = descendants(std::process::id());
        let new: Vec<_> = found.into_iter().filter(|process| !told.contains(process)).collect();
        if new.is_empty() {
            return;
        }
        for process in new {
            told.insert(process);
            // What a plugin has started is its own business.
            if program.is_some() && self::program(&folder(process).join("exe")) == program {
                // One that has ended needs to be told nothing.
                let _ = kill(Pid::from_raw(process.cast_signed()), signal);
            }
        }
    }
}

fn descendants(of: u32) -> Vec<u32> {
    let mut all = children(of);
    let mut next = 0;
    while let Some(process) = all.get(next) {
        all.extend(children(*process));
        next += 1;
    }
    all
}

/// See `proc_pid_task(5)`: each thread has a list of the children that it has made.
fn children(of: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(folder(of).join("task")) else { return Vec::new() };
    let mut children = Vec::new();
    for thread in threads.flatten() {
        // It may have ended.
        let list = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.extend(list.split_whitespace().filter_map(|it| it.parse::<u32>().ok()));
    }
    children
}

/// The file that a process runs, by its name: it may have been replaced.
fn program(link: &Path) -> Option<PathBuf> {
    let path = fs::read_link(link).ok()?;
    let text = path.to_str()?;
    Some(PathBuf::from(text.strip_suffix(" (deleted)").unwrap_or(text)))
}

fn folder(process: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{process}"))
}
