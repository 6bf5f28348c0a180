//! What the benchmark asks of Linux: pinning to a core, CPU time, memory.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use tokio::process::Command;

use crate::{cargo, step};

/// The cores of the proxy and of everything else.
#[derive(Clone, Copy)]
pub(super) struct Cores {
    pair: Option<(u32, u32)>,
}

impl Cores {
    /// Two cores that this process may run on, if there are two and a way to pin to them.
    pub(super) fn choose() -> Result<Self> {
        let allowed = status("self", "Cpus_allowed_list:")?;
        let cores = cores(&allowed);
        let taskset = cargo::works(std::process::Command::new("taskset").arg("--version"));
        let pair = match cores[..] {
            [first, second, ..] if taskset => Some((first, second)),
            _ => {
                step("SKIPPED: pinning to cores; it needs two cores and taskset (util-linux)");
                None
            }
        };
        Ok(Self { pair })
    }

    pub(super) fn proxy(self, program: impl AsRef<Path>) -> Command {
        pinned(self.pair.map(|(core, _)| core), program.as_ref())
    }

    pub(super) fn rest(self, program: impl AsRef<Path>) -> Command {
        pinned(self.pair.map(|(_, core)| core), program.as_ref())
    }
}

/// taskset replaces itself by the program, so the process id is the program's.
fn pinned(core: Option<u32>, program: &Path) -> Command {
    let Some(core) = core else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string()]).arg(program);
    command
}

/// The CPU time, user and system, that a process and its threads, the ended ones too, have used.
///
/// Its clock counts nanoseconds, where `/proc/PID/stat` counts ticks of 10 ms.
pub(super) fn cpu_time(pid: u32) -> Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid.cast_signed()))
        .and_then(ClockId::now)
        .with_context(|| format!("cannot read the CPU time of process {pid}"))?;
    Ok(clock.into())
}

/// The resident memory of a process in kilobytes.
pub(super) fn resident_kb(pid: u32) -> Result<u64> {
    let line = status(&pid.to_string(), "VmRSS:")?;
    line.trim_end_matches("kB").trim().parse().context("VmRSS is not a number of kB")
}

/// A port that was free a moment ago, for programs that cannot choose one themselves.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot find a free port")?;
    Ok(listener.local_addr()?.port())
}

fn status(process: &str, field: &str) -> Result<String> {
    let file = format!("/proc/{process}/status");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    let value = text.lines().find_map(|line| line.strip_prefix(field));
    Ok(value.with_context(|| format!("{file} has no {field}"))?.trim().to_owned())
}

/// Reads a list such as `0-2,5`.
fn cores(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(from.parse().ok()?..=to.parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::cores;

    #[test]
    fn ranges_and_single_cores_are_read() {
        assert_eq!(cores("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(cores("3"), [3]);
    }
}
