//! The calls of the auth server that we make, and what their failures mean.

mod call;
mod messages;

use crate::connect::{Connection, Link, with_causes};
use crate::error::Failure;
use crate::event::Unstructured;
use crate::metrics::Metrics;
use call::{CHUNKS, Call, EXPORT, LOCK, PING, SEARCH, SESSION};
use http::Uri;
use http::uri::PathAndQuery;
use jiff::Timestamp;
use jiff::civil::Date;
use messages::{Chunk, ChunksOf, Export, Exported, Nothing, Page, Pong, Recording, Search};
use prost::Message;
use proto::types::LockV2;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

/// A page of events may be large; what is larger than this is no answer.
const MESSAGE_LIMIT: usize = 64 << 20;

/// The auth server. Clones share the connection.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    link: Arc<Link>,
    metrics: Metrics,
    patience: Duration,
}

impl Rpc {
    pub(crate) fn new(link: Arc<Link>, metrics: Metrics, patience: Duration) -> Self {
        Self { link, metrics, patience }
    }

    pub(crate) async fn ping(&self) -> Result<Pong, Failure> {
        self.ask(&PING, Nothing {}).await
    }

    /// The chunks of a day's events.
    pub(crate) async fn chunks(&self, date: Date) -> Result<Incoming<Chunk>, Failure> {
        self.stream(&CHUNKS, ChunksOf { date: Some(date.into()) }).await
    }

    /// The events of a chunk that come after a cursor.
    pub(crate) async fn export(
        &self,
        date: Date,
        chunk: &str,
        cursor: &str,
    ) -> Result<Incoming<Exported>, Failure> {
        let (chunk, cursor) = (chunk.to_owned(), cursor.to_owned());
        self.stream(&EXPORT, Export { date: Some(date.into()), chunk, cursor }).await
    }

    /// A page of the events from `start` to before `end`, the oldest first.
    pub(crate) async fn search(
        &self,
        (start, end): (Timestamp, Timestamp),
        types: Vec<String>,
        limit: u32,
        start_key: &str,
    ) -> Result<Page, Failure> {
        let search = Search {
            namespace: "default".to_owned(),
            start: Some(start.into()),
            end: Some(end.into()),
            types,
            limit: i32::try_from(limit).unwrap_or(i32::MAX),
            start_key: start_key.to_owned(),
            order: 1,
        };
        self.ask(&SEARCH, search).await
    }

    /// The events of a recording from an index on.
    pub(crate) async fn session(
        &self,
        session: &str,
        start: i64,
    ) -> Result<Incoming<Unstructured>, Failure> {
        let start = i32::try_from(start).unwrap_or(i32::MAX);
        self.stream(&SESSION, Recording { session: session.to_owned(), start }).await
    }

    pub(crate) async fn upsert_lock(&self, lock: LockV2) -> Result<(), Failure> {
        self.ask::<_, Nothing>(&LOCK, lock).await.map(|_| ())
    }

    /// The connection, ready for a call.
    async fn grpc(&self, call: &'static Call) -> Result<Grpc<Connection>, Failure> {
        let connection = self.link.connection().await?;
        let origin = Uri::from_static("https://teleport.cluster.local");
        let grpc = Grpc::with_origin(connection, origin);
        let mut grpc = grpc.max_decoding_message_size(MESSAGE_LIMIT);
        grpc.ready().await.map_err(|error| self.lost(call, &with_causes(&error)))?;
        Ok(grpc)
    }

    async fn ask<M, R>(&self, call: &'static Call, message: M) -> Result<R, Failure>
    where
        M: Message + Send + Sync + 'static,
        R: Message + Default + Send + Sync + 'static,
    {
        let asked = Box::pin(async {
            let mut grpc = self.grpc(call).await?;
            let path = PathAndQuery::from_static(call.path);
            let codec = ProstCodec::<M, R>::default();
            let answer = grpc.unary(Request::new(message), path, codec).await;
            answer.map_err(|status| self.failure(call, &status))
        });
        let answer = self.in_time(call, asked).await?.into_inner();
        self.metrics.answered();
        Ok(answer)
    }

    async fn stream<M, R>(&self, call: &'static Call, message: M) -> Result<Incoming<R>, Failure>
    where
        M: Message + Send + Sync + 'static,
        R: Message + Default + Send + Sync + 'static,
    {
        let asked = Box::pin(async {
            let mut grpc = self.grpc(call).await?;
            let path = PathAndQuery::from_static(call.path);
            let codec = ProstCodec::<M, R>::default();
            let answer = grpc.server_streaming(Request::new(message), path, codec).await;
            answer.map_err(|status| self.failure(call, &status))
        });
        let messages = self.in_time(call, asked).await?.into_inner();
        Ok(Incoming { rpc: self.clone(), call, messages })
    }

    async fn in_time<T>(
        &self,
        call: &'static Call,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let silent = Failure::Silent { call: call.name, after: self.patience };
        timeout(self.patience, answer).await.unwrap_or(Err(silent))
    }

    fn lost(&self, call: &'static Call, problem: &str) -> Failure {
        self.link.certificate(problem).unwrap_or_else(|| Failure::Other {
            call: call.name,
            problem: problem.to_owned(),
            broken: false,
        })
    }

    fn failure(&self, call: &'static Call, status: &Status) -> Failure {
        let message = status.message().to_owned();
        let text = message.to_ascii_lowercase();
        // Where the server wraps what its storage said the code is another one.
        let cannot = ["not implemented", "does not support streaming export", "unknown service"];
        match status.code() {
            Code::Unimplemented => Failure::Unimplemented { call: call.name, message },
            Code::Unknown | Code::Internal if cannot.iter().any(|it| text.contains(it)) => {
                Failure::Unimplemented { call: call.name, message }
            }
            Code::PermissionDenied => {
                Failure::Denied { call: call.name, message, remedy: call.remedy }
            }
            Code::Unauthenticated => self.link.not_accepted(message),
            Code::NotFound => Failure::NotFound { call: call.name, message },
            code => {
                let problem = match status.source() {
                    Some(cause) => with_causes(cause),
                    None => format!("{code:?}: {message}"),
                };
                self.link.certificate(&problem).unwrap_or(Failure::Other {
                    call: call.name,
                    problem,
                    broken: is_broken(status),
                })
            }
        }
    }
}

/// Whether it is rather the thing asked for that is broken. What has a cause is none of the server's
/// answers, but what has become of the connection: HTTP/2's own `INTERNAL_ERROR` has the same code.
fn is_broken(status: &Status) -> bool {
    let codes = [
        Code::DataLoss,
        Code::FailedPrecondition,
        Code::Internal,
        Code::InvalidArgument,
        Code::OutOfRange,
    ];
    codes.contains(&status.code()) && status.source().is_none()
}

/// The messages of an answer as they come.
#[derive(Debug)]
pub(crate) struct Incoming<R> {
    rpc: Rpc,
    call: &'static Call,
    messages: tonic::Streaming<R>,
}

impl<R> Incoming<R> {
    /// The next one; none when the server has ended the answer in order. An answer that breaks off is
    /// an error, never an end.
    pub(crate) async fn next(&mut self) -> Result<Option<R>, Failure> {
        let message = timeout(self.rpc.patience, self.messages.message()).await;
        let silent = Failure::Silent { call: self.call.name, after: self.rpc.patience };
        match message {
            Ok(Ok(message)) => {
                self.rpc.metrics.answered();
                Ok(message)
            }
            Ok(Err(status)) => Err(self.rpc.failure(self.call, &status)),
            Err(_) => Err(silent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_breaks_makes_nothing_broken_that_was_asked_for() {
        let from_server = Status::new(Code::Internal, "the object cannot be read");
        let mut on_the_way = from_server.clone();
        on_the_way.set_source(Arc::new(std::io::Error::other("h2: INTERNAL_ERROR")));
        let away = Status::new(Code::Unavailable, "");
        assert_eq!([from_server, on_the_way, away].map(|it| is_broken(&it)), [true, false, false]);
    }
}
