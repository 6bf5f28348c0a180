//! The content of bodies, as far as it can be had without waiting for it.

use crate::body::Payload;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use plugin_interface::http::{BodyError, HttpBody};
use plugin_interface::{Body, BodyStream, Error, Frame as PluginFrame, Result};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

/// The content of bodies that have more is not compared.
const LARGEST: usize = 64 << 10;

/// What is known of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// All of it; trailers are not compared.
    Whole(Bytes),
    /// It streams, or is large.
    Unknown,
    /// It broke off.
    Failed,
}

impl Content {
    /// The content of a body that is in memory already. The body is as good as before.
    ///
    /// One that comes from a connection is left alone: whoever polls it asks its peer to send.
    pub(super) fn peek(payload: &mut Payload) -> Self {
        if payload.is_empty() {
            return Self::Whole(Bytes::new());
        }
        let Payload::Plugin(body) = payload else { return Self::Unknown };
        let hint = body.size_hint();
        let length = match hint.upper.into_option() {
            Some(upper) if upper == hint.lower && upper <= LARGEST as u64 => upper,
            _ => return Self::Unknown,
        };
        if length == 0 {
            return Self::Whole(Bytes::new());
        }
        let Poll::Ready(frame) = body.poll_frame(&mut Context::from_waker(Waker::noop())) else {
            return Self::Unknown;
        };
        let rest = HttpBody::from(std::mem::take(body));
        let first = frame.map(|frame| match frame.map_err(BodyError)? {
            PluginFrame::Data(chunk) => Ok(Frame::data(Bytes::from_owner(chunk))),
            PluginFrame::Trailers(trailers) => plugin_interface::http::header_map(&trailers)
                .map(Frame::trailers)
                .map_err(BodyError),
        });
        let data = first.as_ref().and_then(|first| first.as_ref().ok()?.data_ref().cloned());
        *body = Body::from_http(Peeked { first, rest });
        match data {
            Some(data) if data.len() as u64 == length => Self::Whole(data),
            _ => Self::Unknown,
        }
    }

    /// Reads what a candidate has made to its end.
    pub(super) async fn read(payload: Payload) -> Self {
        let body = match payload {
            Payload::Empty => return Self::Whole(Bytes::new()),
            Payload::Incoming(_) => return Self::Unknown, // no candidate has such
            Payload::Plugin(body) => body,
        };
        let mut body = HttpBody::from(body);
        let mut all = Vec::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let Ok(frame) = frame else { return Self::Failed };
            let Ok(data) = frame.into_data() else { continue };
            if data.len() > LARGEST - all.len() {
                return Self::Unknown;
            }
            all.extend_from_slice(&data);
        }
        Self::Whole(all.into())
    }
}

/// A body whose first frame has been looked at.
struct Peeked {
    first: Option<Result<Frame<Bytes>, BodyError>>,
    rest: HttpBody,
}

impl http_body::Body for Peeked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().and_then(|first| first.as_ref().ok()?.data_ref());
        let first = first.map_or(0, |data| data.len() as u64);
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(first));
        }
        hint.set_lower(rest.lower().saturating_add(first));
        hint
    }
}

/// A body that a candidate does not get to see. It may hand it on; if it reads it, its decision
/// says nothing.
pub(super) struct Absent(pub(super) Arc<AtomicBool>);

impl BodyStream for Absent {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<PluginFrame>>> {
        self.0.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(Error::new("a shadow sees no bodies that stream, or are large"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: Payload) -> Content {
        let mut read = std::pin::pin!(Content::read(payload));
        match read.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(content) => content,
            Poll::Pending => panic!("nothing here waits"),
        }
    }

    /// Two chunks, whose length is known.
    struct Halves(u8);

    impl BodyStream for Halves {
        fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<PluginFrame>>> {
            self.0 += 1;
            let chunk = || plugin_interface::Chunk::from_owner("half");
            Poll::Ready((self.0 <= 2).then(|| Ok(PluginFrame::Data(chunk()))))
        }

        fn size_hint(&self) -> plugin_interface::SizeHint {
            plugin_interface::SizeHint::exact(8 - u64::from(self.0) * 4)
        }
    }

    #[test]
    fn a_body_that_was_looked_at_is_the_same() {
        let whole = Content::Whole("text".into());
        let mut payload = Payload::Plugin(Body::from_owner("text"));
        assert_eq!(Content::peek(&mut payload), whole);
        assert_eq!(Content::peek(&mut payload), whole);
        assert_eq!(read(payload), whole);

        let mut payload = Payload::Plugin(Body::new(Halves(0)));
        assert_eq!(Content::peek(&mut payload), Content::Unknown);
        let Payload::Plugin(body) = &mut payload else { panic!("it stays a plugin's") };
        assert_eq!(body.size_hint(), plugin_interface::SizeHint::exact(8));
        assert_eq!(read(payload), Content::Whole("halfhalf".into()));
    }

    #[test]
    fn large_absent_and_empty_bodies() {
        let large = || Payload::Plugin(Body::from_owner(vec![0; LARGEST + 1]));
        assert_eq!(Content::peek(&mut large()), Content::Unknown);
        assert_eq!(read(large()), Content::Unknown);
        let asked = Arc::new(AtomicBool::new(false));
        let mut absent = Payload::Plugin(Body::new(Absent(asked.clone())));
        assert_eq!(Content::peek(&mut absent), Content::Unknown);
        assert!(!asked.load(Ordering::Relaxed));
        assert_eq!(read(absent), Content::Failed);
        assert!(asked.load(Ordering::Relaxed));
        for mut empty in [Payload::Empty, Payload::Plugin(Body::empty())] {
            assert_eq!(Content::peek(&mut empty), Content::Whole(Bytes::new()));
        }
    }
}
