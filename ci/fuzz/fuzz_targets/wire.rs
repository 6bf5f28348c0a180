//! Does the guard's scanner agree with hyper on where requests end?
//!
//! `cargo +nightly fuzz run --fuzz-dir ci/fuzz wire -- -dict=ci/fuzz/wire.dict`
//!
//! The scanner must say the same however the stream is cut. What it lets through goes to
//! httparse, which must see the same end of each head and no field in it that the scanner should
//! have refused, and to hyper, which must have the last byte of a request before it completes
//! that request, and complete it then.

#![no_main]

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use libfuzzer_sys::fuzz_target;

#[path = "../../../host/proxy/src/wire/head.rs"]
mod head;
#[path = "../../../host/proxy/src/wire/scanner.rs"]
mod scanner;
#[path = "../../../host/proxy/src/wire/token.rs"]
mod token;

use scanner::{Place, Scanner, Violation};

fuzz_target!(|stream: &[u8]| {
    let passed = check_cuts(stream);
    let messages = messages(&stream[..passed]);
    for message in &messages {
        check_head(stream, message);
    }
    check_hyper(stream, &messages);
});

/// Returns how much of the stream passes, having checked that it is the same for some cuts.
fn check_cuts(stream: &[u8]) -> usize {
    let whole = scan(stream.chunks(stream.len().max(1)));
    for size in [1, 2, 3, 7, 24] {
        assert_eq!(scan(stream.chunks(size)), whole, "in parts of {size}");
    }
    whole.map_or(stream.len(), |(at, _)| at)
}

fn scan<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Option<(usize, &'static str)> {
    let mut scanner = Scanner::new();
    let mut before = 0;
    for part in parts {
        if let Some(Violation { at, reason }) = scanner.scan(part) {
            assert!(at < part.len());
            return Some((before + at, reason));
        }
        before += part.len();
    }
    None
}

/// Where the scanner sees a request.
struct Message {
    start: usize,
    /// The first byte after the head.
    head_end: usize,
    /// The first byte after the request, if it is complete.
    end: Option<usize>,
}

/// The requests with complete heads, up to one after which the connection may switch protocol.
fn messages(stream: &[u8]) -> Vec<Message> {
    let mut scanner = Scanner::new();
    let mut messages = Vec::new();
    let (mut start, mut in_head) = (0, false);
    for (at, byte) in stream.iter().enumerate() {
        assert_eq!(scanner.scan(&[*byte]), None);
        let (place, after) = (scanner.place(), at + 1);
        if in_head && place != Place::Head {
            messages.push(Message { start, head_end: after, end: None });
        }
        in_head = place == Place::Head;
        if matches!(place, Place::Between | Place::Switched) {
            if let Some(last) = messages.last_mut().filter(|message| message.start == start) {
                last.end = Some(after);
                start = after;
            }
            if place == Place::Switched {
                break;
            }
        }
    }
    messages
}

fn check_head(stream: &[u8], message: &Message) {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    let Ok(parsed) = request.parse(&stream[message.start..]) else { return };
    let end = message.head_end - message.start;
    assert_eq!(parsed, httparse::Status::Complete(end), "the end of a head");

    let values = |name: &str| -> Vec<&[u8]> {
        let named = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value).collect()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    assert!(values("host").len() <= 1);
    assert!(codings.len() <= 1);
    assert!(codings.is_empty() || (lengths.is_empty() && request.version == Some(1)));
    assert!(codings.iter().all(|coding| coding.eq_ignore_ascii_case(b"chunked")));
    let lengths: Vec<u64> = lengths
        .iter()
        .map(|length| {
            assert!(length.iter().all(u8::is_ascii_digit));
            str::from_utf8(length).unwrap().parse().unwrap()
        })
        .collect();
    assert!(lengths.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Lets hyper read up to the byte before each end that the scanner saw, then that byte.
fn check_hyper(stream: &[u8], messages: &[Message]) {
    let released = Rc::new(Cell::new(0));
    let completed = Rc::new(Cell::new(0));
    let wire = Wire { stream, read: 0, released: Rc::clone(&released) };
    let service = service_fn(|request: Request<Incoming>| {
        let completed = Rc::clone(&completed);
        async move {
            // hyper keeps HTTP/1.0 connections only on request; that is no matter of framing.
            assert!(request.version() <= Version::HTTP_11);
            if request.into_body().collect().await.is_ok() {
                completed.set(completed.get() + 1);
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let mut connection = http1::Builder::new().serve_connection(wire, service);
    for (earlier, end) in messages.iter().filter_map(|message| message.end).enumerate() {
        for (limit, expected) in [(end - 1, earlier), (end, earlier + 1)] {
            released.set(limit);
            let open = run(&mut connection);
            assert!(completed.get() <= expected, "hyper ends request {earlier} before {limit}");
            if !open {
                return;
            }
            assert_eq!(
                completed.get(),
                expected,
                "hyper does not end request {earlier} at {limit}"
            );
        }
    }
}

/// Polls until nothing happens any more; false when the connection has ended.
fn run(connection: &mut (impl Future + Unpin)) -> bool {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    loop {
        if Pin::new(&mut *connection).poll(&mut Context::from_waker(&waker)).is_ready() {
            return false;
        }
        if !woken.0.swap(false, Ordering::Relaxed) {
            return true;
        }
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection on which the client sends bytes as they are released and never closes.
struct Wire<'a> {
    stream: &'a [u8],
    read: usize,
    released: Rc<Cell<usize>>,
}

impl Read for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let fresh = &self.stream[self.read..self.released.get()];
        if fresh.is_empty() {
            return Poll::Pending;
        }
        let count = fresh.len().min(buffer.remaining());
        buffer.put_slice(&fresh[..count]);
        self.read += count;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
