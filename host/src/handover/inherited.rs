//! The successor's side.

use super::message::{After, Before, LONGEST_FIRST, Lent, Role, SOCKETS, VARIABLE, line};
use crate::live::Marks;
use anyhow::{Context, Result, bail, ensure};
use host_events::Event;
use host_proxy::Listen;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::fs::File;
use std::io::{IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// So many events of the process before wait for the pipeline.
const EVENTS: usize = 512;

/// What a successor has of the process before.
pub(crate) struct Inherited {
    sockets: Vec<(Lent, OwnedFd)>,
    /// For what this process says.
    writer: UnixStream,
    reader: Lines<BufReader<tokio::net::UnixStream>>,
    /// Where events come out that the process before still sends.
    events: Option<Receiver<Event>>,
    sender: Sender<Event>,
}

impl Inherited {
    /// If this process is a successor: takes the other end, which is standard input. In the runtime.
    pub(crate) fn take() -> Result<Option<Self>> {
        let parent = nix::unistd::getppid().to_string();
        // A host that a plugin or a shell starts inherits the variable, too, but not the parent.
        if std::env::var(VARIABLE).ok() != Some(parent) {
            return Ok(None);
        }
        let taken = || -> Result<Self> {
            let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
            rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
            let sockets = first(&socket)?;
            let writer = socket.try_clone()?;
            socket.set_nonblocking(true)?;
            let reader = BufReader::new(tokio::net::UnixStream::from_std(socket)?).lines();
            let (sender, events) = channel(EVENTS);
            Ok(Self { sockets, writer, reader, events: Some(events), sender })
        };
        taken().context("what the process before hands over cannot be taken").map(Some)
    }

    /// The socket that is lent for this, if it listens at that place.
    pub(crate) fn listener(&mut self, role: Role, place: Listen) -> Result<Option<TcpListener>> {
        let is = |lent: &Lent| lent.role == role && lent.place == place.to_string();
        let Some(at) = self.sockets.iter().position(|(lent, _)| is(lent)) else { return Ok(None) };
        let listener = std::net::TcpListener::from(self.sockets.remove(at).1);
        listener.set_nonblocking(true)?;
        Ok(Some(TcpListener::from_std(listener)?))
    }

    /// Says that everything can be loaded, and waits until it is this process's turn. Returns what
    /// an operator has disabled.
    pub(crate) async fn loaded(&mut self) -> Result<Marks> {
        self.say(&After::Loaded)?;
        let Some(line) = self.reader.next_line().await? else {
            bail!("the process that was to be replaced goes on by itself");
        };
        match serde_json::from_str(&line)? {
            Before::Go { marks } => Ok(marks),
            other => bail!("the process before says something unexpected: {other:?}"),
        }
    }

    /// Audit events of the process before: they begin to come with [`Self::serving`], and end with that
    /// process.
    pub(crate) fn events(&mut self) -> Option<Receiver<Event>> {
        self.events.take()
    }

    /// Says that this process takes connections.
    pub(crate) fn serving(mut self) {
        // If the process before is gone by now, there is the more reason to go on.
        if let Err(error) = self.say(&After::Serving) {
            tracing::error!("{error:#}: what it was still to answer is lost");
        }
        tokio::spawn(receive(self.reader, self.sender));
    }

    /// Says why this process ends.
    pub(crate) fn failed(&mut self, why: &str) {
        // If nobody hears it the log has it.
        let _ = self.say(&After::Failed(why.to_owned()));
    }

    fn say(&mut self, message: &After) -> Result<()> {
        self.writer.write_all(&line(message)?).context("the process before is gone")
    }
}

/// Takes events until the process before ends.
async fn receive(mut lines: Lines<BufReader<tokio::net::UnixStream>>, events: Sender<Event>) {
    loop {
        let message = match lines.next_line().await {
            Ok(Some(line)) => serde_json::from_str(&line),
            Ok(None) => return tracing::debug!("the process before has ended"),
            Err(error) => return tracing::error!("the process before is gone: {error}"),
        };
        match message {
            Ok(Before::Event(json)) => {
                if events.send(Event::new(json)).await.is_err() {
                    tracing::warn!(
                        "an event of the process before is dropped: there is no pipeline"
                    );
                }
            }
            other => tracing::error!("the process before says something unexpected: {other:?}"),
        }
    }
}

/// Reads the first message, and the sockets that come with it.
fn first(socket: &UnixStream) -> Result<Vec<(Lent, OwnedFd)>> {
    let mut text = [0; LONGEST_FIRST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    // It was there before this process was, whole.
    let parts = &mut [IoSliceMut::new(&mut text)];
    let received = recvmsg(socket, parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let Before::Sockets(lent) = serde_json::from_slice(&text[..received.bytes])? else {
        bail!("the first message is another");
    };
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            sockets.extend(received);
        }
    }
    ensure!(lent.len() == sockets.len(), "{} sockets came, not {}", sockets.len(), lent.len());
    Ok(lent.into_iter().zip(sockets).collect())
}
