//! The processes that come of this one.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;

/// From now on a descendant whose parent ends is this process's child, as it would be of the system's
/// first process otherwise: prctl(2), `PR_SET_CHILD_SUBREAPER`.
pub(crate) fn adopt() {
    if let Err(error) = nix::sys::prctl::set_child_subreaper(true) {
        tracing::warn!("processes that take over later will not be looked after: {error}");
    }
}

/// Passes a signal on.
pub(crate) fn tell_children(signal: Signal) {
    for child in children() {
        // One that has ended needs to be told nothing.
        let _ = kill(child, signal);
    }
}

/// The children of this process, see `proc_pid_task(5)`. Each thread has a list of those that it has made.
fn children() -> Vec<Pid> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let lists =
        threads.flatten().filter_map(|it| fs::read_to_string(it.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|it| it.parse().ok()).collect::<Vec<_>>()
        })
        .map(Pid::from_raw)
        .collect()
}
