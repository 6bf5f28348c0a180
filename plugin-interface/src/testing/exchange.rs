//! A request as a test makes it, and what has become of it.

use super::clock::block_on;
use super::state::State;
use crate::body::Body;
use crate::error::Result;
use crate::message::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use std::collections::HashMap;
use std::net::SocketAddr;

/// A request on its way through a [`super::Plugin`], and its response once there is one.
///
/// It comes over `http` from 192.0.2.1 for `example.test`, from nobody in particular, and without
/// headers or body, unless the test says otherwise.
///
/// The `with_…` methods and [`Self::new`] panic on what HTTP does not allow, and those that return
/// a header on one that is not text.
pub struct TestExchange {
    pub(super) state: State,
    /// By plugin: how many of its middlewares have let the request pass, and see the response.
    pub(super) passed: HashMap<usize, usize>,
}

/// What comes in.
impl TestExchange {
    /// A request with this method and target: path and query, as in `/a?b=c`.
    pub fn new(method: &str, target: &str) -> Self {
        let request = Request::builder().method(method).uri(target).body(());
        let request = request.expect("a method and a target that HTTP allows").into_parts().0;
        let state = State {
            request,
            response: None,
            body: Body::empty(),
            peer: SocketAddr::from(([192, 0, 2, 1], 1234)),
            scheme: "http".to_owned(),
            authority: "example.test".to_owned(),
            identity: None,
            upstream: None,
            values: HashMap::new(),
            slots: HashMap::new(),
            current: (0, 0),
        };
        Self { state, passed: HashMap::new() }
    }

    /// A `GET` request.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name that HTTP allows");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a value that HTTP allows");
        self.state.request.headers.try_append(name, value).expect("not too many headers");
        self
    }

    /// With this body.
    #[must_use]
    pub fn with_body(mut self, body: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        self.state.body = Body::from_owner(body);
        self
    }

    /// From this address.
    #[must_use]
    pub fn with_peer(mut self, address: SocketAddr) -> Self {
        self.state.peer = address;
        self
    }

    /// Over this scheme, `http` or `https`, for this host.
    #[must_use]
    pub fn with_origin(mut self, scheme: &str, authority: &str) -> Self {
        scheme.clone_into(&mut self.state.scheme);
        authority.clone_into(&mut self.state.authority);
        self
    }

    /// From this user, as if an authenticator had accepted them.
    #[must_use]
    pub fn with_identity(mut self, user: &str) -> Self {
        self.state.identity = Some(user.to_owned());
        self
    }

    /// With a value that another middleware has left.
    #[must_use]
    pub fn with_value(mut self, key: &str, value: &str) -> Self {
        self.state.values.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The upstream answers: what [`super::Plugin::on_response`] then sees.
    pub fn respond(&mut self, response: Response) {
        self.state.respond(response).unwrap_or_else(|error| panic!("no response: {error}"));
    }
}

/// What has become of it.
impl TestExchange {
    /// The request's method.
    pub fn method(&self) -> &str {
        self.state.request.method.as_str()
    }

    /// The request's path and query, as the upstream would get them.
    pub fn target(&self) -> &str {
        self.state.request.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// The upstream that a plugin has chosen, as in `http://127.0.0.1:81`.
    pub fn upstream(&self) -> Option<String> {
        self.state.upstream.as_ref().map(|uri| uri.to_string().trim_end_matches('/').to_owned())
    }

    /// The first header of that name of the request.
    pub fn request_header(&self, name: &str) -> Option<&str> {
        first(&self.state.request.headers, name)
    }

    /// All headers of that name of the request.
    pub fn request_headers(&self, name: &str) -> Vec<&str> {
        all(&self.state.request.headers, name)
    }

    /// The status of the response; none if nobody has answered.
    pub fn status(&self) -> Option<u16> {
        self.state.response.as_ref().map(|response| response.status.as_u16())
    }

    /// The first header of that name of the response.
    pub fn response_header(&self, name: &str) -> Option<&str> {
        first(&self.state.response.as_ref()?.headers, name)
    }

    /// All headers of that name of the response.
    pub fn response_headers(&self, name: &str) -> Vec<&str> {
        self.state.response.as_ref().map_or(Vec::new(), |response| all(&response.headers, name))
    }

    /// The user, if an authenticator has accepted one.
    pub fn identity(&self) -> Option<&str> {
        self.state.identity.as_deref()
    }

    /// A value that a middleware has left.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.state.values.get(key).map(String::as_str)
    }

    /// Takes the body of the message in hand: the response's, if there is one, or the request's.
    pub fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.state.body)
    }

    /// Takes that body and reads it to its end. An error if it ends with one, or is not text.
    ///
    /// One that waits for the host, for a timer or an answer, is read with [`Self::take_body`] and
    /// [`super::Host::block_on`].
    pub fn text(&mut self) -> Result<String> {
        Ok(String::from_utf8(block_on(None, self.take_body().collect(usize::MAX))??)?)
    }
}

fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    all(headers, name).first().copied()
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let text = |value: &'a HeaderValue| {
        std::str::from_utf8(value.as_bytes()).unwrap_or_else(|_| panic!("{name} is not text"))
    };
    headers.get_all(name).iter().map(text).collect()
}
