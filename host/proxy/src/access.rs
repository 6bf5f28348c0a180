//! The access record: one line for each request, when its response has ended.
//!
//! Lines are collected in memory and written by a thread of their own, several at once: a request
//! pays for formatting its line, not for a system call. They reach the file within [`FLUSH`].

use crate::audit::{AuditEvent, AuditLog, RequestEvent, bounded};
use bytes::Bytes;
use http::{Method, StatusCode, Uri, Version, request};
use http_body::Frame;
use std::fmt::Write as _;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// How long a line may wait to be written; a crash loses no more than that.
const FLUSH: Duration = Duration::from_millis(100);
/// The lines that may wait. Beyond it, when the disk does not keep up, they are dropped and
/// counted: a full disk must not stop the proxy.
const BUFFER: usize = 4 << 20;

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `key=value` pairs.
    Text,
    /// A JSON object.
    Json,
}

/// Where records go. Cheap to clone.
#[derive(Clone)]
pub struct AccessLog {
    shared: Arc<Shared>,
}

struct Shared {
    format: Format,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: String,
    dropped: u64,
    closed: bool,
}

/// The thread that writes; ends, with all written, when it is dropped.
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl AccessLog {
    /// Starts to write records to `out`.
    pub fn start(
        out: impl Write + Send + 'static,
        format: Format,
    ) -> std::io::Result<(Self, Writer)> {
        let waiting = Mutex::default();
        let shared = Arc::new(Shared { format, waiting, changed: Condvar::new() });
        let writer = shared.clone();
        let thread = std::thread::Builder::new().name("access log".to_owned());
        let thread = thread.spawn(move || writer.write(out))?;
        Ok((Self { shared: shared.clone() }, Writer { shared, thread: Some(thread) }))
    }

    fn add(&self, record: &Record, end: &End) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.lines.len() > BUFFER {
            waiting.dropped += 1;
            return;
        }
        let _ = match self.shared.format {
            Format::Text => record.text(end, &mut waiting.lines),
            Format::Json => record.json(end, &mut waiting.lines),
        };
        waiting.lines.push('\n');
    }
}

impl Shared {
    fn write(&self, mut out: impl Write) {
        let mut lines = String::new();
        loop {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if !waiting.closed {
                let woken = self.changed.wait_timeout(waiting, FLUSH);
                waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
            }
            std::mem::swap(&mut lines, &mut waiting.lines);
            let dropped = std::mem::take(&mut waiting.dropped);
            let closed = waiting.closed;
            drop(waiting);
            if !lines.is_empty() {
                if let Err(error) = out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
                    tracing::error!("access records are lost: {error}");
                }
                lines.clear();
            }
            if dropped > 0 {
                tracing::error!(dropped, "access records were dropped: the disk does not keep up");
            }
            if closed {
                return;
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What is known of a request at its start.
pub(crate) struct Record {
    pub(crate) started: Instant,
    pub(crate) client: SocketAddr,
    pub(crate) method: Method,
    pub(crate) target: Uri,
    pub(crate) version: Version,
    pub(crate) user: Option<String>,
    pub(crate) status: u16,
    /// From the start to the head of the upstream's response; none if we answered ourselves.
    pub(crate) upstream: Option<Duration>,
}

/// What the record says of a client that has not waited for an answer; nginx's number for it.
const CLIENT_CLOSED: u16 = 499;

impl Record {
    pub(crate) fn of(head: &request::Parts, started: Instant, client: SocketAddr) -> Self {
        Self {
            started,
            client,
            method: head.method.clone(),
            target: head.uri.clone(),
            version: head.version,
            user: None,
            status: CLIENT_CLOSED,
            upstream: None,
        }
    }

    fn event(&self) -> RequestEvent {
        RequestEvent {
            time: SystemTime::now(),
            user: self.user.as_deref().map(|user| bounded(user).to_owned()),
            method: bounded(self.method.as_str()).to_owned(),
            path: bounded(self.target.path()).to_owned(),
            query: bounded(self.target.query().unwrap_or_default()).to_owned(),
            status: self.status,
            client: self.client,
            duration: self.started.elapsed(),
        }
    }
}

/// How a response ended.
struct End {
    bytes: u64,
    complete: bool,
}

/// Follows a request to the end of its response, and then writes the record: also when the client
/// has gone away in between. The audit event does not wait for that end.
pub(crate) struct Watch {
    log: Option<AccessLog>,
    /// Until the event is recorded.
    audit: Option<Arc<dyn AuditLog>>,
    pub(crate) record: Record,
    end: End,
}

impl Watch {
    pub(crate) fn new(
        log: Option<AccessLog>,
        audit: Option<Arc<dyn AuditLog>>,
        record: Record,
    ) -> Self {
        Self { log, audit, record, end: End { bytes: 0, complete: false } }
    }

    /// The upstream gets the request, and may act on it though the client does not wait for the
    /// answer: that is to be known of the user.
    pub(crate) fn forwarded(&mut self, user: Option<&str>) {
        if self.audit.is_some() {
            self.record.user = user.map(str::to_owned);
        }
    }

    /// There is an answer; it is the whole of it if it has no body.
    pub(crate) fn answered(&mut self, status: StatusCode, user: Option<String>, empty: bool) {
        self.record.status = status.as_u16();
        self.record.user = user;
        self.end.complete = empty || self.record.method == Method::HEAD;
        self.audit();
    }

    fn audit(&mut self) {
        if let Some(audit) = self.audit.take() {
            audit.record(AuditEvent::Request(self.record.event()));
        }
    }

    /// A frame passes; `ended` says that it is the last.
    pub(crate) fn frame<E>(&mut self, frame: Option<&Result<Frame<Bytes>, E>>, ended: bool) {
        match frame {
            None => self.end.complete = true,
            Some(Ok(frame)) => {
                self.end.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                self.end.complete = ended;
            }
            Some(Err(_)) => self.end.complete = false,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.audit();
        if let Some(log) = &self.log {
            log.add(&self.record, &self.end);
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss)] // of microseconds in a request
    let microseconds = time.as_micros() as f64;
    microseconds / 1000.0
}

impl Record {
    fn text(&self, end: &End, out: &mut String) -> std::fmt::Result {
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let Self { client, method, target, version, status, .. } = self;
        write!(out, "{time} client={} method={method} target=", client.ip())?;
        quoted(&target.to_string(), out)?;
        write!(out, " version={version:?} status={status}")?;
        if let Some(user) = &self.user {
            out.push_str(" user=");
            quoted(user, out)?;
        }
        write!(out, " bytes={} ms={:.3}", end.bytes, milliseconds(self.started.elapsed()))?;
        if let Some(upstream) = self.upstream {
            write!(out, " upstream_ms={:.3}", milliseconds(upstream))?;
        }
        if !end.complete {
            out.push_str(" aborted=true");
        }
        Ok(())
    }

    fn json(&self, end: &End, out: &mut String) -> std::fmt::Result {
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let Self { client, method, target, version, status, .. } = self;
        write!(
            out,
            "{{\"time\":\"{time}\",\"client\":\"{}\",\"method\":\"{method}\"",
            client.ip()
        )?;
        out.push_str(",\"target\":");
        quoted(&target.to_string(), out)?;
        write!(out, ",\"version\":\"{version:?}\",\"status\":{status}")?;
        if let Some(user) = &self.user {
            out.push_str(",\"user\":");
            quoted(user, out)?;
        }
        write!(out, ",\"bytes\":{},\"ms\":{:.3}", end.bytes, milliseconds(self.started.elapsed()))?;
        if let Some(upstream) = self.upstream {
            write!(out, ",\"upstream_ms\":{:.3}", milliseconds(upstream))?;
        }
        write!(out, ",\"complete\":{}}}", end.complete)
    }
}

/// A JSON string: also what the text form has where a value may hold anything.
fn quoted(text: &str, out: &mut String) -> std::fmt::Result {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            letter if letter.is_control() => write!(out, "\\u{:04x}", u32::from(letter))?,
            letter => out.push(letter),
        }
    }
    out.push('"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(user: &str) -> Record {
        Record {
            started: Instant::now(),
            client: "127.0.0.1:1".parse().unwrap(),
            method: Method::GET,
            target: Uri::from_static("/a?b=%22"),
            version: Version::HTTP_11,
            user: Some(user.to_owned()),
            status: 200,
            upstream: None,
        }
    }

    #[test]
    fn nobody_writes_lines_of_his_own() {
        let mut line = String::new();
        let end = End { bytes: 5, complete: false };
        record("a\"b\nc").text(&end, &mut line).unwrap();
        assert!(line.contains(r#" user="a\"b\u000ac" bytes=5 "#), "{line}");
        assert!(line.ends_with(" aborted=true"), "{line}");
        line.clear();
        record("a\"b\nc").json(&end, &mut line).unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["user"], &value["status"]), (&"a\"b\nc".into(), &200.into()));
        assert_eq!(value["complete"], false);
    }
}
