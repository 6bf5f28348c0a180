//! The listener's connections, and how much of the host they may take.

use super::Admin;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// So many connections are served at a time; others wait in the system's queue.
const CONNECTIONS: usize = 64;
/// How long a request's head may take, and how long a connection may wait for one.
const HEAD: Duration = Duration::from_secs(5);
/// The bytes of a request's head.
const HEAD_BYTES: usize = 16 << 10;
/// A connection is told to end after this time, so that none is held for ever …
const LIFETIME: Duration = Duration::from_secs(300);
/// … and cut off after that: whoever waits for a command has as long to see what came of it.
const LAST_ANSWER: Duration = Duration::from_secs(300);

pub(super) async fn serve(admin: Arc<Admin>, listener: &TcpListener, conversations: &TaskTracker) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // Nobody closes the semaphore.
    while let Ok(place) = room.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many files are open: it will not be better at once.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let admin = admin.clone();
        conversations.spawn(async move {
            if let Err(error) = converse(stream, admin).await {
                tracing::debug!("an admin connection ended: {error}");
            }
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, admin: Arc<Admin>) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let admin = admin.clone();
        async move { Ok::<_, Infallible>(admin.answer(request).await) }
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
