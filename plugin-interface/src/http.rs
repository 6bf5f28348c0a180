//! Conversions to and from the types of the `http` and `http-body` crates (feature `http`).
//!
//! Headers are copied, bodies are not: a chunk that crosses keeps its buffer.

use crate::body::{Body, BodyStream, Chunk, Frame, SizeHint};
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::message::{Header, Response, ResponseParts};
use abi_stable::std_types::{ROption, RSome, RVec};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::cell::Cell;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A [`Body`] of the interface as a `http_body::Body`.
//
// Not `Sync`: `size_hint` asks the author's stream through `&self`, and that need not be.
pub struct HttpBody(Body, PhantomData<Cell<()>>);

impl From<Body> for HttpBody {
    fn from(body: Body) -> Self {
        Self(body, PhantomData)
    }
}

impl http_body::Body for HttpBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.0.poll_frame(cx));
        Poll::Ready(frame.map(|frame| match frame.map_err(BodyError)? {
            Frame::Data(chunk) => Ok(http_body::Frame::data(Bytes::from_owner(chunk))),
            Frame::Trailers(trailers) => {
                header_map(&trailers).map(http_body::Frame::trailers).map_err(BodyError)
            }
        }))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        let hint = self.0.hint();
        let mut size = http_body::SizeHint::new();
        if let RSome(upper) = hint.upper {
            size.set_upper(upper.max(hint.lower));
        }
        size.set_lower(hint.lower);
        size
    }
}

/// Why a body ended early: [`Error`] as a `std::error::Error`.
#[derive(Debug)]
pub struct BodyError(pub Error);

impl std::fmt::Display for BodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for BodyError {}

impl Body {
    /// A body of the `http-body` crate, without copying its data.
    pub fn from_http<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display,
    {
        Self::new(FromHttp(body))
    }
}

struct FromHttp<B>(B);

impl<B> BodyStream for FromHttp<B>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
{
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(Error::new)?;
            Ok(match frame.into_data() {
                Ok(data) => Frame::Data(Chunk::from_owner(data)),
                Err(frame) => Frame::Trailers(headers(&frame.into_trailers().unwrap_or_default())),
            })
        }))
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.0.size_hint();
        SizeHint { lower: hint.lower(), upper: ROption::from(hint.upper()) }
    }
}

/// Headers of the `http` crate, copied.
pub fn headers(map: &HeaderMap) -> RVec<Header> {
    let header = |(name, value): (&HeaderName, &HeaderValue)| Header {
        name: name.as_str().into(),
        value: value.as_bytes().into(),
    };
    map.iter().map(header).collect()
}

/// Headers for the `http` crate, copied; an error on one that HTTP does not allow.
pub fn header_map(headers: &[Header]) -> Result<HeaderMap> {
    let mut map = HeaderMap::try_with_capacity(headers.len())?;
    for Header { name, value } in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("name", name))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| invalid("value", name.as_str()))?;
        map.try_append(name, value)?;
    }
    Ok(map)
}

#[cold]
fn invalid(what: &str, name: &str) -> Error {
    Error::new(format_args!("the header {name:?} has a {what} that HTTP does not allow"))
}

impl Response {
    /// A response of the `http` crate.
    pub fn from_http<B>(response: http::Response<B>) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display,
    {
        let (head, body) = response.into_parts();
        Self::from(ResponseParts {
            status: head.status.as_u16(),
            headers: headers(&head.headers),
            body: Body::from_http(body),
        })
    }

    /// A response for the `http` crate; an error on a status or header that HTTP does not allow.
    pub fn into_http(self) -> Result<http::Response<HttpBody>> {
        let ResponseParts { status, headers, body } = self.into_parts();
        let mut response = http::Response::new(HttpBody::from(body));
        *response.status_mut() = StatusCode::from_u16(status)?;
        *response.headers_mut() = header_map(&headers)?;
        Ok(response)
    }
}

impl Exchange<'_> {
    /// The headers of the message in hand, copied.
    pub fn headers(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        self.each_header(|name, value| {
            // The host's own headers are valid, and no more than a map can have.
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
                return map.try_append(name, value).is_ok();
            }
            true
        });
        map
    }
}
