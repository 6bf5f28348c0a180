//! The answer to a call: its messages as they arrive, and the status at the end.

use crate::deadline::Deadline;
use crate::frame::Deframer;
use crate::status::{Code, Status};
use bytes::Bytes;
use plugin_interface::{Body, Frame, tracing};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

/// Messages that are read one by one; what is not read is not taken from the service.
pub(crate) struct Messages {
    /// None if the call has ended well before the first message.
    body: Option<Body>,
    deframer: Deframer,
    deadline: Option<Deadline>,
}

impl Messages {
    /// The messages in `body`, each of at most `limit` bytes.
    pub(crate) fn new(body: Option<Body>, limit: usize, deadline: Option<Deadline>) -> Self {
        Self { body, deframer: Deframer::new(limit), deadline }
    }

    /// The next message; none if the call has ended well. Not to be asked again after that or an
    /// error.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Status>> {
        loop {
            if let Some(message) = self.deframer.next()? {
                return Poll::Ready(Ok(Some(message)));
            }
            if let Some(deadline) = &mut self.deadline {
                deadline.check(cx)?;
            }
            let Some(body) = &mut self.body else { return Poll::Ready(Ok(None)) };
            match ready!(body.poll_frame(cx)) {
                Some(Ok(Frame::Data(chunk))) => self.deframer.push(chunk.as_ref()),
                Some(Ok(Frame::Trailers(trailers))) => {
                    let status = Status::from_headers(&trailers).unwrap_or_else(no_status);
                    return Poll::Ready(self.end(status));
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "a call was broken off");
                    let text = "the service broke the call off";
                    return Poll::Ready(Err(Status::new(Code::Unavailable, text)));
                }
                None => return Poll::Ready(Err(no_status())),
            }
        }
    }

    /// The message of a call that has exactly one.
    pub(crate) async fn only(mut self) -> Result<Bytes, Status> {
        let wrong = |text: &str| Status::new(Code::Internal, text);
        let first = poll_fn(|cx| self.poll_next(cx)).await?;
        let message = first.ok_or_else(|| wrong("the service ended the call without an answer"))?;
        match poll_fn(|cx| self.poll_next(cx)).await? {
            None => Ok(message),
            Some(_) => Err(wrong("the service has given two answers to one request")),
        }
    }

    fn end(&self, status: Status) -> Result<Option<Bytes>, Status> {
        match status.code {
            Code::Ok if self.deframer.is_empty() => Ok(None),
            Code::Ok => {
                let text = "the service ended the call within a message";
                Err(Status::new(Code::Internal, text))
            }
            _ => Err(status),
        }
    }
}

fn no_status() -> Status {
    Status::new(Code::Internal, "the service ended the call without a status")
}
