//! The body of a message, read for a module and put back.

use plugin_interface::{Body, BodyStream, Chunk, Error, Exchange, Frame, Result, SizeHint};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// What has been read of a body.
pub(super) enum Taken {
    /// All of it: its bytes, and the trailers if it had any.
    Whole(Vec<u8>, Option<Frame>),
    /// More than the limit; it is back in its place, as if it had not been read.
    TooLarge,
}

/// Why there is no body.
pub(super) enum Broken {
    /// Nothing came for so long.
    Idle(Duration),
    /// It ended early.
    Failed(Error),
}

/// Reads the body of the message in hand, unless it has more than `limit` bytes. A frame may take
/// as long as `idle` to come.
pub(super) async fn take(
    exchange: &mut Exchange<'_>,
    limit: usize,
    idle: Duration,
) -> Result<Taken, Broken> {
    let mut body = exchange.take_body();
    if body.size_hint().lower > limit as u64 {
        exchange.set_body(body);
        return Ok(Taken::TooLarge);
    }
    // One buffer and not the frames as they came: a client may send a byte in each.
    let (mut bytes, mut trailers) = (Vec::new(), None);
    loop {
        let frame = tokio::time::timeout(idle, body.frame()).await;
        let Some(frame) = frame.map_err(|_| Broken::Idle(idle))? else { break };
        match frame.map_err(Broken::Failed)? {
            Frame::Data(chunk) if chunk.as_ref().len() > limit - bytes.len() => {
                let read = Restored { bytes, chunk: Some(chunk), rest: Some(body), trailers: None };
                exchange.set_body(Body::new(read));
                return Ok(Taken::TooLarge);
            }
            Frame::Data(chunk) => bytes.extend_from_slice(chunk.as_ref()),
            Frame::Trailers(fields) => trailers = Some(Frame::Trailers(fields)),
        }
    }
    Ok(Taken::Whole(bytes, trailers))
}

/// What had been taken whole, as a body again.
pub(super) fn restored(bytes: Vec<u8>, trailers: Option<Frame>) -> Body {
    match trailers {
        None => Body::from_owner(bytes),
        trailers => Body::new(Restored { bytes, chunk: None, rest: None, trailers }),
    }
}

/// A body of which a part has been read.
struct Restored {
    bytes: Vec<u8>,
    chunk: Option<Chunk>,
    rest: Option<Body>,
    trailers: Option<Frame>,
}

impl BodyStream for Restored {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            return Poll::Ready(Some(Ok(Frame::Data(Chunk::from_owner(bytes)))));
        }
        if let Some(chunk) = self.chunk.take() {
            return Poll::Ready(Some(Ok(Frame::Data(chunk))));
        }
        if let Some(rest) = &mut self.rest {
            let frame = ready!(rest.poll_frame(cx));
            if frame.is_some() {
                return Poll::Ready(frame);
            }
            self.rest = None;
        }
        Poll::Ready(self.trailers.take().map(Ok))
    }

    // Not exact: a message with a length has no room for trailers, and of the rest only a lower bound
    // may be known.
    fn size_hint(&self) -> SizeHint {
        let read = self.bytes.len() + self.chunk.as_ref().map_or(0, |chunk| chunk.as_ref().len());
        SizeHint { lower: read as u64, ..SizeHint::default() }
    }
}
