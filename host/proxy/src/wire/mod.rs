//! A guard between the socket and hyper that refuses ambiguous HTTP/1 framing.
//!
//! hyper reads requests leniently: it takes a bare LF for a line end and drops a Content-Length
//! beside a Transfer-Encoding. That is fine for an origin server. In front of another server it
//! is request smuggling (RFC 9112 section 11.2): two parsers that disagree on where a message
//! ends. What hyper has parsed no longer shows what was sent, so the guard reads along on the
//! way in, without copying, and cuts the stream before the first byte that may not be there.
//!
//! # How a request is refused
//!
//! All violations lie before the end of what they violate: one in a head is found before hyper
//! has seen the last line end of that head, because the bare LFs with which hyper would see one
//! earlier are violations themselves. The guard passes on what came before and then
//!
//! - in a head, [`POISON`] in place of the rest: no request line and no field may have a NUL, so
//!   hyper answers 400 and closes, after the answers to the requests that came before;
//! - in a body, an error: reading the body fails with [`io::ErrorKind::InvalidData`], and hyper
//!   reads no further request from the connection.
//!
//! After that the stream is at its end.
//!
//! # Contract: close after an upgrade that was not granted
//!
//! A request with `Upgrade`, or a `CONNECT`, may turn the connection into something else than
//! HTTP/1, and only the response says whether it does. The guard does not read responses; it
//! lets everything pass once such a request has ended. The server must therefore answer with
//! `Connection: close` whenever it does not switch, so that nothing that comes after is ever
//! parsed as HTTP/1.

mod head;
mod scanner;
mod token;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use scanner::{Place, Scanner, Violation};

/// NUL has no place in a head. The empty line is there because hyper does not parse a head that
/// it has seen a part of before it has seen its end.
const POISON: &[u8] = b"\0\r\n\r\n";

/// A stream whose incoming bytes are checked before hyper sees them.
#[derive(Debug)]
pub(crate) struct Guard<S> {
    stream: S,
    incoming: Incoming,
}

#[derive(Debug)]
enum Incoming {
    Scanned(Scanner),
    /// What is left to hand on of the poison.
    Poisoned(&'static [u8]),
    Failed(&'static str),
    Ended,
}

impl<S> Guard<S> {
    pub(crate) fn new(stream: S) -> Self {
        Guard { stream, incoming: Incoming::Scanned(Scanner::new()) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Guard { stream, incoming } = &mut *self;
        if let Incoming::Scanned(scanner) = incoming {
            let start = buf.filled().len();
            ready!(Pin::new(stream).poll_read(cx, buf))?;
            let Some(Violation { at, reason }) = scanner.scan(&buf.filled()[start..]) else {
                return Poll::Ready(Ok(()));
            };
            tracing::debug!(target: "host_proxy::wire", reason, "refusing a malformed request");
            *incoming = match scanner.place() {
                Place::Body => Incoming::Failed(reason),
                _ => Incoming::Poisoned(POISON),
            };
            buf.set_filled(start + at);
            if at > 0 {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Ready(incoming.finish(buf))
    }
}

impl Incoming {
    /// Ends the stream after a violation. Without one it is not called.
    fn finish(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        match *self {
            Incoming::Poisoned(poison) => {
                let (now, later) = poison.split_at(poison.len().min(buf.remaining()));
                buf.put_slice(now);
                *self = if later.is_empty() { Incoming::Ended } else { Incoming::Poisoned(later) };
                Ok(())
            }
            Incoming::Failed(reason) => {
                *self = Incoming::Ended;
                Err(io::Error::new(io::ErrorKind::InvalidData, reason))
            }
            Incoming::Scanned(_) | Incoming::Ended => Ok(()),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
