//! Bodies: pulled frame by frame, never copied at the boundary.

use crate::error::{Error, Result};
use crate::guard::{Guarded, catch};
use crate::message::Header;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RBox, RErr, RNone, ROk, ROption, RResult, RSlice, RSome, RVec};
use abi_stable::{StableAbi, sabi_trait};
use async_ffi::{ContextExt, FfiContext, FfiPoll};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

/// Bytes that stay where they are: whoever made the chunk frees it, through its vtable.
///
/// May be sent to and read on any thread, and kept for as long as one likes.
#[repr(transparent)]
#[derive(StableAbi)]
pub struct Chunk(RawChunk_TO<RBox<()>>);

/// What is behind a [`Chunk`].
#[sabi_trait]
#[allow(missing_docs)] // see the trait in front of it
pub trait RawChunk: Send + Sync + 'static {
    #[sabi(last_prefix_field)]
    fn bytes(&self) -> RSlice<'_, u8>;
}

impl<T: AsRef<[u8]> + Send + Sync + 'static> RawChunk for Guarded<T> {
    fn bytes(&self) -> RSlice<'_, u8> {
        catch(|| T::as_ref(self)).unwrap_or_default().into()
    }
}

impl Chunk {
    /// Wraps a buffer (`Vec<u8>`, `&'static str`, `bytes::Bytes`, …) without copying it.
    pub fn from_owner(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self(RawChunk_TO::from_value(Guarded::new(owner), TD_Opaque))
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes().as_slice()
    }
}

/// A piece of a body. Frozen within 1.x.
#[repr(C, u8)]
#[derive(StableAbi)]
pub enum Frame {
    /// Some of its bytes.
    Data(Chunk),
    /// The trailer fields, after the last data (RFC 9110, section 6.5).
    Trailers(RVec<Header>),
}

/// How many bytes of data are still to come, trailers not counted. Frozen within 1.x.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SizeHint {
    /// At least so many.
    pub lower: u64,
    /// At most so many; none: unknown.
    pub upper: ROption<u64>,
}

impl SizeHint {
    /// Exactly so many: what lets the host send a `Content-Length`.
    pub fn exact(bytes: u64) -> Self {
        Self { lower: bytes, upper: RSome(bytes) }
    }
}

/// What authors implement to make or change a body.
pub trait BodyStream: Send + 'static {
    /// The next frame; `None` after the last. An error or a panic ends the body, and with it the
    /// message: the client sees it cut off.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>>;

    /// What is known of the size of the rest.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// [`BodyStream`] as it crosses the boundary.
#[sabi_trait]
#[allow(missing_docs)] // see the trait in front of it
pub trait RawBody: Send + 'static {
    fn poll_frame(&mut self, cx: &mut FfiContext<'_>) -> FfiPoll<ROption<RResult<Frame, Error>>>;
    #[sabi(last_prefix_field)]
    fn size_hint(&self) -> SizeHint;
}

impl<S: BodyStream> RawBody for Guarded<S> {
    fn poll_frame(&mut self, cx: &mut FfiContext<'_>) -> FfiPoll<ROption<RResult<Frame, Error>>> {
        match catch(|| cx.with_context(|cx| S::poll_frame(self, cx))) {
            Ok(Poll::Pending) => FfiPoll::Pending,
            Ok(Poll::Ready(None)) => FfiPoll::Ready(RNone),
            Ok(Poll::Ready(Some(Ok(frame)))) => FfiPoll::Ready(RSome(ROk(frame))),
            Ok(Poll::Ready(Some(Err(error)))) | Err(error) => FfiPoll::Ready(RSome(RErr(error))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        catch(|| S::size_hint(self)).unwrap_or_default()
    }
}

/// The body of a message, owned: polled by one task at a time, freed by the library that made it.
/// Dropping it cancels it.
#[repr(transparent)]
#[derive(StableAbi)]
pub struct Body(RawBody_TO<RBox<()>>);

// SAFETY: no public method takes `&self` (hence `&mut` in `size_hint`), so a shared reference to a body
// can do nothing. Without it, a future that holds a `&Response` could not be sent.
unsafe impl Sync for Body {}
// abi_stable's objects are `!Unpin`, although what they point to never moves with them.
impl Unpin for Body {}

impl Body {
    /// A body made by `stream`.
    pub fn new(stream: impl BodyStream) -> Self {
        Self(RawBody_TO::from_value(Guarded::new(stream), TD_Opaque))
    }

    /// No bytes at all.
    pub fn empty() -> Self {
        Self::new(Once(None))
    }

    /// One buffer, not copied.
    pub fn from_owner(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::new(Once(Some(Chunk::from_owner(bytes))))
    }

    /// The same body with each chunk of data changed; trailers and errors pass.
    #[must_use]
    pub fn map_data(self, change: impl FnMut(Chunk) -> Chunk + Send + 'static) -> Self {
        Self::new(MapData { body: self, change })
    }

    /// The next frame, for a [`BodyStream`] over this body.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        match cx.with_ffi_context(|cx| self.0.poll_frame(cx)) {
            FfiPoll::Pending => Poll::Pending,
            FfiPoll::Ready(frame) => Poll::Ready(frame.into_option().map(RResult::into_result)),
            FfiPoll::Panicked => Poll::Ready(Some(Err(Error::new("the body panicked")))),
        }
    }

    /// The next frame; `None` after the last.
    pub async fn frame(&mut self) -> Option<Result<Frame>> {
        poll_fn(|cx| self.poll_frame(cx)).await
    }

    /// What is known of the size of the rest.
    pub fn size_hint(&mut self) -> SizeHint {
        self.hint()
    }

    /// For owners that are not `Sync` themselves.
    pub(crate) fn hint(&self) -> SizeHint {
        self.0.size_hint()
    }

    /// Reads the body to its end, trailers dropped; an error beyond `limit` bytes.
    pub async fn collect(mut self, limit: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(frame) = self.frame().await {
            let Frame::Data(chunk) = frame? else { continue };
            if chunk.as_ref().len() > limit - bytes.len() {
                return Err(Error::new(format_args!("the body has more than {limit} bytes")));
            }
            bytes.extend_from_slice(chunk.as_ref());
        }
        Ok(bytes)
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

struct Once(Option<Chunk>);

impl BodyStream for Once {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        Poll::Ready(self.0.take().map(|chunk| Ok(Frame::Data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::exact(self.0.as_ref().map_or(0, |chunk| chunk.as_ref().len() as u64))
    }
}

struct MapData<F> {
    body: Body,
    change: F,
}

impl<F: FnMut(Chunk) -> Chunk + Send + 'static> BodyStream for MapData<F> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        Poll::Ready(match ready!(self.body.poll_frame(cx)) {
            Some(Ok(Frame::Data(chunk))) => Some(Ok(Frame::Data((self.change)(chunk)))),
            other => other,
        })
    }
}
