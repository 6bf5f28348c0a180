//! The connections of a listener for operators, and how much of the host they may take.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// So many connections are served at a time; others wait in the system's queue.
const CONNECTIONS: usize = 64;
/// When all are taken a connection that has asked nothing for so long gives way to a new one.
const SILENCE: Duration = Duration::from_millis(250);
/// How long a request's head may take, and how long a connection may wait for one.
const HEAD: Duration = Duration::from_secs(5);
/// The bytes of a request's head.
const HEAD_BYTES: usize = 16 << 10;
/// A connection is told to end after this time, so that none is held for ever …
const LIFETIME: Duration = Duration::from_secs(300);
/// … and cut off after that: whoever waits for a command has as long to see what came of it.
const LAST_ANSWER: Duration = Duration::from_secs(300);

/// Serves until it is dropped. Each connection is a task of `conversations`, and `answer` is called for
/// each request.
pub(crate) async fn serve<A, F>(listener: &TcpListener, conversations: &TaskTracker, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let ended = Arc::new(Notify::new());
    let mut open: VecDeque<Open> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many files are open: it will not be better at once.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        make_room(&mut open, &ended).await;
        let (answer, ended) = (answer.clone(), ended.clone());
        let idle = Idle::default();
        let task = conversations.spawn({
            let idle = idle.clone();
            async move {
                if let Err(error) = converse(stream, answer, idle).await {
                    tracing::debug!("an admin connection ended: {error}");
                }
                ended.notify_one();
            }
        });
        open.push_back(Open { task, idle });
    }
}

/// A connection.
struct Open {
    task: JoinHandle<()>,
    idle: Idle,
}

/// Since when a connection has asked nothing; none while a request is answered.
#[derive(Clone)]
struct Idle(Arc<Mutex<Option<Instant>>>);

impl Default for Idle {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(Instant::now()))))
    }
}

impl Idle {
    fn since(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

/// Waits until one more can be served. Whoever only holds a connection open has to give way: else a few
/// strangers would keep out those who look whether the host is well.
async fn make_room(open: &mut VecDeque<Open>, ended: &Notify) {
    loop {
        open.retain(|connection| !connection.task.is_finished());
        if open.len() < CONNECTIONS {
            return;
        }
        let silent = |it: &Open| it.idle.since().is_some_and(|since| since.elapsed() >= SILENCE);
        if let Some(oldest) = open.iter().position(silent).and_then(|at| open.remove(at)) {
            oldest.task.abort();
            return;
        }
        let _ = tokio::time::timeout(SILENCE, ended.notified()).await;
    }
}

async fn converse<A, F>(stream: TcpStream, answer: A, idle: Idle) -> hyper::Result<()>
where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(move |request| {
        let (answering, idle) = (answer(request), idle.clone());
        async move {
            idle.set(None);
            let answer = answering.await;
            idle.set(Some(Instant::now()));
            Ok::<_, Infallible>(answer)
        }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    let mut serving = pin!(server.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = &mut serving => return ended,
        () = tokio::time::sleep(LIFETIME) => serving.as_mut().graceful_shutdown(),
    }
    tokio::time::timeout(LAST_ANSWER, serving).await.unwrap_or(Ok(()))
}
