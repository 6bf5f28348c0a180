//! Requests that a plugin makes.

use crate::body::Body;
use crate::message::Header;
use abi_stable::StableAbi;
use abi_stable::std_types::{RBox, RString, RVec};
use std::time::Duration;

/// A request for [`crate::HostServices::http`]. Owned; passes to the host.
#[repr(transparent)]
#[derive(StableAbi)]
pub struct Request(RBox<RequestParts>);

/// What a [`Request`] is made of.
#[repr(C)]
#[derive(StableAbi)]
pub struct RequestParts {
    /// As in `GET`.
    pub method: RString,
    /// An absolute `http:` or `https:` URL.
    pub url: RString,
    /// The headers; the host sets `Host` and what frames the body.
    pub headers: RVec<Header>,
    /// The body.
    pub body: Body,
    /// The time until the response's head must be there; 0: the host's default.
    pub timeout_milliseconds: u64,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: &str, url: &str) -> Self {
        Self(RBox::new(RequestParts {
            method: method.into(),
            url: url.into(),
            headers: RVec::new(),
            body: Body::empty(),
            timeout_milliseconds: 0,
        }))
    }

    /// A `GET` request.
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
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

    /// How long to wait for the response's head.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.0.timeout_milliseconds = super::milliseconds(time);
        self
    }

    /// Its method, as in `GET`.
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// Takes it apart: for the host.
    pub fn into_parts(self) -> RequestParts {
        RBox::into_inner(self.0)
    }
}
