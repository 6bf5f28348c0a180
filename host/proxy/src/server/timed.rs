//! Connections whose peer must do its part in time, where hyper has no timer of its own.
//!
//! - hyper's timer for heads starts when it knows HTTP/1 from HTTP/2: a peer that sends nothing, or
//!   a part of HTTP/2's preface, could stay for ever.
//! - A peer that does not read what it is sent would hold its response, and the upstream's
//!   connection behind it, for ever.

use crate::patience::{Patience, Timers};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How an HTTP/2 connection begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) struct Timed<S> {
    stream: S,
    /// How much of the preface has come; none once the protocol is known.
    preface: Option<usize>,
    first: Patience,
    write: Patience,
}

impl<S> Timed<S> {
    /// The peer has `first` to show which protocol it speaks, and `write` to take some of what is
    /// sent to it.
    pub(super) fn new(stream: S, first: Duration, write: Duration) -> Self {
        Self {
            stream,
            preface: Some(0),
            first: Patience::new(first, Timers::default()),
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
        let Some(seen) = this.preface else { return poll };
        let new = &buf.filled()[start..];
        let begins = PREFACE[seen..].starts_with(new) && seen + new.len() < PREFACE.len();
        this.preface = begins.then_some(seen + new.len());
        if poll.is_ready() {
            return poll;
        }
        ready!(this.first.poll(cx));
        Poll::Ready(Err(timed_out("the peer has not begun to speak HTTP")))
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
