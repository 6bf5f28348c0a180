//! Headers and answers that a plugin makes.

use crate::Body;
use crate::owned::{self, RBox, RString, RVec};
#[cfg(not(target_arch = "wasm32"))]
use abi_stable::StableAbi;

/// A header or trailer field, owned.
#[repr(C)]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "wasm32"), derive(StableAbi))]
pub struct Header {
    /// The field's name; case does not matter.
    pub name: RString,
    /// The field's value: bytes, since HTTP promises no encoding (RFC 9110, section 5.5).
    pub value: RVec<u8>,
}

/// A response: one that a plugin answers with, or one that [`crate::HostServices::http`] brings.
///
/// Owned; whoever holds it frees it. The host sets the framing headers (`Content-Length`,
/// `Transfer-Encoding`, `Connection`) itself from the body.
//
// Boxed, to keep `RawStep` at three words.
#[repr(transparent)]
#[cfg_attr(not(target_arch = "wasm32"), derive(StableAbi))]
pub struct Response(RBox<ResponseParts>);

/// What a [`Response`] is made of.
#[repr(C)]
#[cfg_attr(not(target_arch = "wasm32"), derive(StableAbi))]
pub struct ResponseParts {
    /// The status code; the host turns one that HTTP does not have into a 500.
    pub status: u16,
    /// The headers, in order; names may repeat.
    pub headers: RVec<Header>,
    /// The body.
    pub body: Body,
}

impl Response {
    /// A response without headers or body.
    pub fn new(status: u16) -> Self {
        Self(RBox::new(ResponseParts { status, headers: RVec::new(), body: Body::empty() }))
    }

    /// A `text/plain` answer.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status)
            .header("content-type", "text/plain; charset=utf-8")
            .body(Body::from_owner(text.into()))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.0.headers.push(Header { name: name.into(), value: value.as_ref().into() });
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.0.body = body;
        self
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The first header of that name.
    pub fn header_value(&self, name: &str) -> Option<&[u8]> {
        let mut headers = self.0.headers.iter();
        let found = headers.find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(found.value.as_slice())
    }

    /// Takes it apart.
    pub fn into_parts(self) -> ResponseParts {
        owned::unbox(self.0)
    }
}

impl From<ResponseParts> for Response {
    fn from(parts: ResponseParts) -> Self {
        Self(RBox::new(parts))
    }
}
