//! HTTP to one server: HTTP/2 where TLS negotiates it, else HTTP/1.1 over connections that are kept.
//!
//! There are never more connections than requests at a time. hyper-util's pool promises less: it goes
//! on connecting when another connection has become free meanwhile.

mod answer;
mod connect;
mod endpoint;
mod tls;

pub(crate) use answer::{Answer, Fault};
pub(crate) use connect::{Connector, Stream};
pub(crate) use endpoint::{Endpoint, TlsFiles};
pub(crate) use tls::client_config;

use ::http::Request;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A request's body: whole, and cheap to send once more.
pub(crate) type Body = Full<Bytes>;

/// A client of one server.
pub(crate) struct Client {
    connector: Connector,
    /// How long a request may take, from connecting to the end of the answer.
    timeout: Duration,
    /// Connections that wait for a request, the one used last on top.
    idle: Mutex<Vec<http1::SendRequest<Body>>>,
    /// The connection that all requests share, if the server speaks HTTP/2.
    two: tokio::sync::Mutex<Option<http2::SendRequest<Body>>>,
    /// It does not, as far as is known.
    speaks_one: AtomicBool,
}

enum Link {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("{0}")]
    Connect(#[from] std::io::Error),
    #[error("the connection broke off: {}", with_causes(.0))]
    Lost(hyper::Error),
}

impl Client {
    pub(crate) fn new(connector: Connector, timeout: Duration) -> Self {
        let speaks_one = AtomicBool::new(!connector.is_tls());
        let (idle, two) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { connector, timeout, idle, two, speaks_one }
    }

    /// Sends a request, whose URI is absolute and of this server, and reads the answer. An error is
    /// for people to read: whatever it is, it may pass.
    pub(crate) async fn send(&self, request: &Request<Body>) -> Result<Answer, String> {
        let Ok(answer) = tokio::time::timeout(self.timeout, self.exchange(request)).await else {
            // An HTTP/2 connection without life would be used again and again.
            *self.two.lock().await = None;
            let limit = humantime::format_duration(self.timeout);
            return Err(format!("{}: no answer within {limit}", self.connector.name()));
        };
        answer.map_err(|error| format!("{}: {error}", self.connector.name()))
    }

    async fn exchange(&self, request: &Request<Body>) -> Result<Answer, SendError> {
        // A server may close a connection that waits at any time, also as it is used: that says
        // nothing about the server, and the next connection is tried at once.
        while let Some(link) = self.kept().await {
            let is_shared = matches!(link, Link::Two(_));
            match self.over(link, request).await {
                // It may have lost this request only, and be there the next time: no reason to go on
                // asking for ever. Once more, over another one if it has ended.
                Err(SendError::Lost(_)) if is_shared => break,
                Err(SendError::Lost(_)) => {}
                answered => return answered,
            }
        }
        let link = self.connect().await?;
        self.over(link, request).await
    }

    async fn over(&self, link: Link, request: &Request<Body>) -> Result<Answer, SendError> {
        let mut request = request.clone();
        match link {
            Link::One(mut sender) => {
                let path = request.uri().path_and_query().cloned();
                *request.uri_mut() = path.map(Into::into).unwrap_or_default();
                let response = sender.send_request(request).await.map_err(SendError::Lost)?;
                let answer = Answer::read(response).await;
                if answer.body.is_ok() {
                    self.idle().push(sender);
                }
                Ok(answer)
            }
            Link::Two(mut sender) => {
                request.headers_mut().remove(::http::header::HOST); // it is in the URI
                let response = sender.send_request(request).await.map_err(SendError::Lost)?;
                Ok(Answer::read(response).await)
            }
        }
    }

    /// A connection that is there and ready.
    async fn kept(&self) -> Option<Link> {
        loop {
            let idle = self.idle().pop();
            let Some(mut sender) = idle else { break };
            if sender.ready().await.is_ok() {
                return Some(Link::One(sender));
            }
        }
        if self.speaks_one.load(Ordering::Relaxed) {
            return None;
        }
        let mut two = self.two.lock().await;
        let sender = two.as_mut()?;
        if sender.ready().await.is_err() {
            *two = None;
        }
        two.clone().map(Link::Two)
    }

    async fn connect(&self) -> Result<Link, SendError> {
        // Until it is known what the server speaks one connects and the others wait for what it
        // finds out.
        let mut two = match self.speaks_one.load(Ordering::Relaxed) {
            true => None,
            false => Some(self.two.lock().await),
        };
        if let Some(Some(sender)) = two.as_deref()
            && !sender.is_closed()
        {
            return Ok(Link::Two(sender.clone()));
        }
        if self.speaks_one.load(Ordering::Relaxed) {
            two = None;
        }
        let (stream, negotiated_two) = self.connector.connect().await?;
        let stream = TokioIo::new(stream);
        self.speaks_one.store(!negotiated_two, Ordering::Relaxed);
        if !negotiated_two {
            let (sender, connection) = http1::handshake(stream).await.map_err(SendError::Lost)?;
            tokio::spawn(connection);
            return Ok(Link::One(sender));
        }
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30));
        let (sender, connection) = builder.handshake(stream).await.map_err(SendError::Lost)?;
        tokio::spawn(connection);
        if let Some(two) = &mut two {
            **two = Some(sender.clone());
        }
        Ok(Link::Two(sender))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<http1::SendRequest<Body>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with what caused it: hyper's own text alone says little.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
