//! What is left of the first process when others have taken over: it has its number, and its parent.

use super::family::{adopt, tell_descendants};
use anyhow::Result;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The command that makes a process this.
const COMMAND: &str = "supervise";

/// What is passed on.
const PASSED: [Signal; 6] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// Turns this process into a supervisor by running the program anew, which gives back all its memory.
/// Returns only if that fails: then it can [`run`] as it is.
pub(crate) fn replace(program: &Path) {
    // Also for the program that comes: a signal in between waits for it, unless another thread takes it.
    let error = match signals().thread_block() {
        Ok(()) => Command::new(program).arg(COMMAND).exec(),
        Err(error) => error.into(),
    };
    tracing::error!("{}: {error}; this process goes on as supervisor", program.display());
}

/// Waits for the children, and for theirs when they end, and passes signals on. Ends as the last of them:
/// each is the child of the one before, so that is the host that has run last.
pub fn run() -> Result<ExitCode> {
    adopt();
    let signals = signals();
    signals.thread_block()?;
    let mut last = ExitCode::SUCCESS;
    loop {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => last = ExitCode::from(code.to_le_bytes()[0]),
                // As a shell says it.
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    last = ExitCode::from(128_u8.wrapping_add((signal as i32).to_le_bytes()[0]));
                }
                Ok(WaitStatus::StillAlive) => break,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) => return Ok(last),
                Err(error) => return Err(error.into()),
            }
        }
        let signal = signals.wait()?;
        if PASSED.contains(&signal) {
            tell_descendants(signal);
        }
    }
}

fn signals() -> SigSet {
    PASSED.into_iter().chain([Signal::SIGCHLD]).collect()
}
