//! Connections whose peer must do its part in time, where hyper has no timer of its own.
//!
//! - A peer must send the whole head of a request in time: from the start of the connection, or the
//!   end of the response before. hyper has a timer for that, but only once it knows HTTP/1 from
//!   HTTP/2, so that a peer that sends nothing could stay for ever; and it makes one for each request.
//! - A peer that does not read what it is sent would hold its response, and the upstream's
//!   connection behind it, for ever.

use crate::patience::{Patience, Timers};
use crate::service::InFlight;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How an HTTP/2 connection begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) struct Timed<S> {
    stream: S,
    protocol: Protocol,
    /// Requests that are being answered: while there are, nothing is waited for.
    in_flight: InFlight,
    head: Patience,
    write: Patience,
}

enum Protocol {
    /// So much of HTTP/2's preface has come, and nothing else.
    Unknown(usize),
    One,
    /// Whose idle connections are hyper's concern: it asks the peer for signs of life.
    Two,
}

impl<S> Timed<S> {
    /// The peer has `head` to send a request, and `write` to take some of what is sent to it.
    pub(super) fn new(stream: S, in_flight: InFlight, head: Duration, write: Duration) -> Self {
        Self {
            stream,
            protocol: Protocol::Unknown(0),
            in_flight,
            head: Patience::new(head, Timers::default()),
            write: Patience::new(write, Timers::default()),
        }
    }

    /// Passes on how a write went; an error if none has gone anywhere for too long.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write.rest();
            return poll;
        }
        ready!(self.write.poll(cx));
        Poll::Ready(Err(timed_out("the peer does not read what it is sent")))
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let start = buf.filled().len();
        let poll = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let Protocol::Unknown(seen) = this.protocol {
            let new = &buf.filled()[start..];
            this.protocol = match (PREFACE[seen..].starts_with(new), seen + new.len()) {
                (false, _) => Protocol::One,
                (true, seen) if seen < PREFACE.len() => Protocol::Unknown(seen),
                (true, _) => Protocol::Two,
            };
        }
        if poll.is_ready() || matches!(this.protocol, Protocol::Two) {
            return poll;
        }
        if this.in_flight.any() {
            // hyper looks whether the peer is still there. It does not look again when the answer has ended:
            // what wakes it then is the timer, which so has to run.
            this.head.rest();
            while this.head.poll(cx).is_ready() {
                this.head.rest();
            }
            return Poll::Pending;
        }
        ready!(this.head.poll(cx));
        Poll::Ready(Err(timed_out("the peer has not sent a request")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // TLS takes what is written at once, and waits for the peer here.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.written(cx, poll)
    }
}
