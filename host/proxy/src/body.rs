//! Bodies on their way through: the client's, the upstream's, a plugin's.

use crate::access::Watch;
use crate::chain::Chain;
use crate::headers::remove_claims;
use crate::patience::Patience;
use crate::service::OneInFlight;
use crate::upstream::Received;
use bytes::Bytes;
use http::HeaderName;
use http_body::{Body as _, Frame, SizeHint};
use plugin_interface::Body;
use plugin_interface::http::HttpBody;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// The body of the message in hand, as plugins may take it.
#[derive(Default)]
pub(crate) enum Payload {
    #[default]
    Empty,
    Incoming(Received),
    Plugin(Body),
}

impl Payload {
    /// For a plugin. What nobody takes never goes through the interface.
    pub(crate) fn into_plugin(self) -> Body {
        match self {
            Self::Empty => Body::empty(),
            Self::Incoming(incoming) => Body::from_http(incoming),
            Self::Plugin(body) => body,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Incoming(incoming) => incoming.is_end_stream(),
            Self::Plugin(_) => false,
        }
    }
}

/// Why a body ended early.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum BodyFailure {
    /// The connection that it comes from.
    #[error("{0}")]
    Incoming(String),
    /// Nothing came for so long.
    #[error("nothing came for {0:?}")]
    Idle(Duration),
    /// The plugin that makes it.
    #[error("the plugin that makes it failed: {0}")]
    Plugin(String),
}

/// hyper's errors say little without their causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// How a body that is being sent gets on, seen from elsewhere.
#[derive(Clone)]
pub(crate) struct Pace(Arc<Mutex<Moved>>);

/// When a body last moved.
#[derive(Clone, Copy)]
pub(crate) enum Moved {
    /// A frame was passed on, or the end reached.
    At(Instant),
    /// It would, but its source has nothing.
    WaitsForSource,
}

impl Pace {
    pub(crate) fn moved(&self) -> Moved {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, moved: Moved) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = moved;
    }
}

/// A body as hyper sends it.
pub(crate) struct ProxyBody {
    source: Source,
    /// With the source, while it makes us wait.
    idle: Patience,
    watch: Option<Box<Watch>>,
    pace: Option<Pace>,
    /// The identity header, in a request's body: claims are not believed in trailers either.
    claims: Option<HeaderName>,
    /// In a response's body: until it has ended its request is being answered.
    in_flight: Option<OneInFlight>,
    /// Likewise. After the source, which may be a plugin's of that chain.
    chain: Option<Arc<Chain>>,
}

enum Source {
    Empty,
    Incoming(Received),
    Plugin(HttpBody),
}

impl ProxyBody {
    /// A body that fails when nothing comes for as long as `idle` has patience.
    pub(crate) fn new(payload: Payload, idle: Patience) -> Self {
        let source = match payload {
            Payload::Empty => Source::Empty,
            Payload::Incoming(incoming) => Source::Incoming(incoming),
            Payload::Plugin(body) => Source::Plugin(body.into()),
        };
        Self { source, idle, watch: None, pace: None, claims: None, in_flight: None, chain: None }
    }

    /// For whoever waits while this body is sent; none if there is nothing to send.
    pub(crate) fn pace(&mut self) -> Option<Pace> {
        if self.is_end_stream() {
            return None;
        }
        Some(self.pace.insert(Pace(Arc::new(Mutex::new(Moved::At(Instant::now()))))).clone())
    }

    /// Takes out of the trailers what a client cannot say of itself.
    pub(crate) fn without_claims(mut self, identity: &HeaderName) -> Self {
        self.claims = Some(identity.clone());
        self
    }

    /// Holds on to `in_flight` to the end.
    pub(crate) fn holding(mut self, in_flight: OneInFlight) -> Self {
        self.in_flight = Some(in_flight);
        self
    }

    /// Holds the chain that it has passed to the end: its plugins may still make it.
    pub(crate) fn passing(mut self, chain: Arc<Chain>) -> Self {
        self.chain = Some(chain);
        self
    }

    /// Tells `watch` of each frame, and of the end.
    pub(crate) fn watched(mut self, watch: Option<Box<Watch>>) -> Self {
        self.watch = watch;
        self
    }

    fn checked(&self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let Some(identity) = self.claims.as_ref().filter(|_| frame.is_trailers()) else {
            return frame;
        };
        let mut trailers = frame.into_trailers().unwrap_or_default();
        remove_claims(&mut trailers, identity, false);
        Frame::trailers(trailers)
    }

    fn poll_source(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        match &mut self.source {
            Source::Empty => Poll::Ready(None),
            Source::Incoming(incoming) => {
                let frame = ready!(Pin::new(incoming).poll_frame(cx));
                Poll::Ready(frame.map(|it| it.map_err(|e| BodyFailure::Incoming(with_causes(&e)))))
            }
            Source::Plugin(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                Poll::Ready(frame.map(|it| it.map_err(|e| BodyFailure::Plugin(e.to_string()))))
            }
        }
    }
}

impl http_body::Body for ProxyBody {
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        let this = &mut *self;
        let frame = match this.poll_source(cx) {
            Poll::Ready(frame) => frame.map(|frame| frame.map(|it| this.checked(it))),
            Poll::Pending => {
                if let Some(pace) = &this.pace {
                    pace.set(Moved::WaitsForSource);
                }
                ready!(this.idle.poll(cx));
                Some(Err(BodyFailure::Idle(this.idle.limit())))
            }
        };
        this.idle.rest();
        if let Some(pace) = &this.pace {
            pace.set(Moved::At(Instant::now()));
        }
        if let Some(Err(failure)) = &frame {
            tracing::warn!("a body was cut off: {failure}");
        }
        if this.watch.is_some() {
            // hyper does not ask again once it knows that nothing more comes.
            let ended = this.is_end_stream() || this.size_hint().exact() == Some(0);
            if let Some(watch) = &mut this.watch {
                watch.frame(frame.as_ref(), ended);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Empty => true,
            Source::Incoming(incoming) => incoming.is_end_stream(),
            Source::Plugin(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty => SizeHint::with_exact(0),
            Source::Incoming(incoming) => incoming.size_hint(),
            Source::Plugin(body) => body.size_hint(),
        }
    }
}
