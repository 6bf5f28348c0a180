//! The side of the process before.

use super::message::{After, Before, Lent, Role, SOCKETS, VARIABLE, line};
use crate::live::Marks;
use anyhow::{Context, Result, anyhow, bail};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::ffi::OsString;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// How long a successor may take to load everything: plugins register one after another.
const LOADED: Duration = Duration::from_secs(300);
/// How long it may take from then on. Connections wait meanwhile.
const SERVING: Duration = Duration::from_secs(60);

/// How this process was started.
pub(crate) struct Launcher {
    program: PathBuf,
    args: Vec<OsString>,
}

/// A socket to lend.
pub(crate) struct Socket {
    lent: Lent,
    socket: OwnedFd,
}

/// The process that is to take over. Ended when dropped, unless it has taken over.
pub(crate) struct Successor {
    process: Process,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Launcher {
    /// To be made at the start: by its path a program is found that replaces this one later.
    pub(crate) fn new() -> Result<Self> {
        let program = std::env::current_exe().context("where this program is cannot be told")?;
        Ok(Self { program, args: std::env::args_os().skip(1).collect() })
    }

    /// The program.
    pub(crate) fn program(&self) -> &std::path::Path {
        &self.program
    }
}

impl Socket {
    pub(crate) fn new(role: Role, place: String, listener: &TcpListener) -> std::io::Result<Self> {
        let socket = listener.as_fd().try_clone_to_owned()?;
        Ok(Self { lent: Lent { role, place }, socket })
    }
}

impl Successor {
    /// Starts the program again, and waits until it has loaded everything.
    pub(crate) async fn start(launcher: &Launcher, sockets: Vec<Socket>) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        lend(&ours, &sockets)?;
        drop(sockets);
        ours.set_nonblocking(true)?;
        let mut command = Command::new(&launcher.program);
        command.args(&launcher.args).env(VARIABLE, std::process::id().to_string());
        command.stdin(Stdio::from(OwnedFd::from(theirs)));
        let child = command.spawn();
        let program = launcher.program.display();
        let child = child.with_context(|| format!("{program} cannot be started"))?;
        // The command holds the other end: with it a process that ends would not be noticed.
        drop(command);
        let (reader, writer) = tokio::net::UnixStream::from_std(ours)?.into_split();
        let mut successor =
            Self { process: Process(Some(child)), reader: BufReader::new(reader), writer };
        tracing::info!(pid = successor.pid(), "a successor loads");
        match successor.hear(LOADED).await? {
            After::Loaded => Ok(successor),
            other => bail!("the successor says something unexpected: {other:?}"),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.as_ref().map_or(0, Child::id)
    }

    /// Lets it take over, and waits until it takes connections. Store and state folder must be free.
    pub(crate) async fn take_over(mut self, marks: Marks) -> Result<Heir> {
        self.writer.write_all(&line(&Before::Go { marks })?).await.context(GONE)?;
        match self.hear(SERVING).await? {
            After::Serving => {
                let pid = self.pid();
                self.process.0 = None;
                Ok(Heir { pid, writer: self.writer })
            }
            other => bail!("the successor says something unexpected: {other:?}"),
        }
    }

    async fn hear(&mut self, limit: Duration) -> Result<After> {
        let mut text = String::new();
        let read = timeout(limit, self.reader.read_line(&mut text)).await;
        let read = read.map_err(|_| anyhow!("the successor was not ready within {limit:?}"))?;
        if read.context(GONE)? == 0 {
            bail!("{GONE}; the log has what it said");
        }
        match serde_json::from_str(&text)? {
            After::Failed(why) => bail!("the successor cannot take over: {why}"),
            message => Ok(message),
        }
    }
}

const GONE: &str = "the successor has ended";

/// A child that ends with this.
struct Process(Option<Child>);

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            // It ends at once, and must not stay a zombie.
            let _ = child.wait();
        }
    }
}

/// The process that has taken over.
pub(crate) struct Heir {
    pub(crate) pid: u32,
    writer: OwnedWriteHalf,
}

impl Heir {
    /// Hands an audit event on: a JSON object.
    pub(crate) async fn event(&mut self, json: String) -> Result<()> {
        self.writer.write_all(&line(&Before::Event(json))?).await.context("the successor is gone")
    }
}

/// Sends the first message, with the sockets. It is small enough for the sockets' buffer.
fn lend(to: &UnixStream, sockets: &[Socket]) -> Result<()> {
    let message = Before::Sockets(sockets.iter().map(|socket| socket.lent.clone()).collect());
    let fds: Vec<_> = sockets.iter().map(|socket| socket.socket.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        bail!("{} sockets are too many to lend", fds.len());
    }
    let line = line(&message)?;
    let sent = sendmsg(to, &[IoSlice::new(&line)], &mut control, SendFlags::NOSIGNAL)?;
    if sent != line.len() {
        bail!("the sockets could not be lent");
    }
    Ok(())
}
