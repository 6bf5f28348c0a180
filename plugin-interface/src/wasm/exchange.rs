//! The exchange, as the input of a call has it.

use super::body::Body;
use super::contract::{Answer, Bytes, Input, Reply, StepName};
use super::headers::{self, Headers};
use super::slot::Slot;
use crate::error::{Error, Result};
use crate::message::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;

/// The request or response in hand. What a read returns is as the changes of this call have left it;
/// the host makes them when the call is over, and what it refuses then fails the request.
pub struct Exchange<'a>(&'a mut Call);

/// One call of a hook.
pub(super) struct Call {
    input: Input,
    headers: Headers,
    slot: Slot,
    answer: Answer,
    no_response_hook: bool,
}

impl Call {
    pub(super) fn new(mut input: Input) -> Self {
        let headers = Headers(std::mem::take(&mut input.headers));
        let slot = input.slot.take().map_or(Slot::Empty, Slot::Written);
        Self { input, headers, slot, answer: Answer::default(), no_response_hook: false }
    }

    pub(super) fn exchange(&mut self) -> Exchange<'_> {
        Exchange(self)
    }

    /// Whether the host has been asked for the body, and this is the call with it.
    pub(super) fn has_body(&self) -> bool {
        self.input.body.is_some() || self.input.body_too_large
    }

    /// Whether the response hook turned out to be the one that does nothing.
    pub(super) fn no_response_hook(&self) -> bool {
        self.no_response_hook
    }

    pub(super) fn respond(&mut self, response: Response) {
        let parts = response.into_parts();
        let headers = parts.headers.into_iter().map(|it| (it.name, Bytes(it.value))).collect();
        let body = Bytes(parts.body.into_bytes().unwrap_or_default());
        self.answer.step = StepName::Respond;
        self.answer.response = Some(Reply { status: parts.status, headers, body });
    }

    pub(super) fn ask_for_body(&mut self) {
        self.answer.step = StepName::Body;
    }

    pub(super) fn into_answer(mut self) -> Result<Answer> {
        self.answer.slot = self.slot.write()?;
        Ok(self.answer)
    }
}

/// The request line, and the status.
impl Exchange<'_> {
    /// The request's method, as in `GET`.
    pub fn method(&self) -> &str {
        &self.0.input.method
    }

    /// Changes the request's method.
    pub fn set_method(&mut self, method: &str) -> Result<()> {
        method.clone_into(&mut self.0.input.method);
        self.0.answer.set_method = Some(method.to_owned());
        Ok(())
    }

    /// How the client reached us: `http` or `https`.
    pub fn scheme(&self) -> &str {
        &self.0.input.scheme
    }

    /// The host, and the port if there was one, that the client asked for.
    pub fn authority(&self) -> &str {
        &self.0.input.authority
    }

    /// The request's path, percent-encoded as it came.
    pub fn path(&self) -> &str {
        &self.0.input.path
    }

    /// What follows the `?`, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.0.input.query.as_deref()
    }

    /// Rewrites path and query of the request: `/a/b?c=d`.
    pub fn set_target(&mut self, path_and_query: &str) -> Result<()> {
        if !path_and_query.starts_with('/') || path_and_query.contains('#') {
            return Err(Error::new("the target: not a valid value"));
        }
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path_and_query, None),
        };
        (self.0.input.path, self.0.input.query) = (path.to_owned(), query);
        self.0.answer.set_target = Some(path_and_query.to_owned());
        Ok(())
    }

    /// Sends this request to another upstream than the configured one: `http://127.0.0.1:81`.
    pub fn set_upstream(&mut self, origin: &str) -> Result<()> {
        self.0.answer.set_upstream = Some(origin.to_owned());
        Ok(())
    }

    /// The status of the response in hand; 0 while there is none.
    pub fn status(&self) -> u16 {
        self.0.input.status
    }

    /// Changes the status of the response in hand.
    pub fn set_status(&mut self, status: u16) -> Result<()> {
        if self.0.input.status == 0 {
            return Err(Error::new("the status: there is no response yet"));
        }
        self.0.input.status = status;
        self.0.answer.set_status = Some(status);
        Ok(())
    }
}

/// The headers of the message in hand: of the request in a request hook, of the response in a
/// response hook.
impl Exchange<'_> {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.0.headers.first(name)
    }

    /// The first header of that name if it is text.
    pub fn header_str(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.header(name)?).ok()
    }

    /// Puts this header in place of all of that name.
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.0.headers.set(name, value.as_ref(), &mut self.0.answer)
    }

    /// Adds a header beside those of that name.
    pub fn append_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.0.headers.append(name, value.as_ref(), &mut self.0.answer)
    }

    /// Removes all headers of that name; says whether there were any.
    pub fn remove_header(&mut self, name: &str) -> bool {
        self.0.headers.remove(name, &mut self.0.answer)
    }

    /// Calls `visit` with each header, until it returns false.
    pub fn each_header(&self, mut visit: impl FnMut(&str, &[u8]) -> bool) {
        let _ = self.0.headers.0.iter().all(|(name, value)| visit(name, &value.0));
    }

    /// The first header of that name of the request; while the response is in hand, as this plugin's
    /// request hook found it.
    pub fn request_header(&self, name: &str) -> Option<&[u8]> {
        match self.status() {
            0 => self.header(name),
            _ => headers::first(&self.0.input.request_headers, name),
        }
    }
}

/// Who asks, and what middlewares tell each other.
impl Exchange<'_> {
    /// The client's address. Behind proxies that the host is told to trust, the one they report.
    pub fn peer(&self) -> SocketAddr {
        self.0.input.peer
    }

    /// The authenticated user.
    pub fn identity(&self) -> Option<&str> {
        self.0.input.identity.as_deref()
    }

    /// A value that another middleware has left for this exchange, and that this plugin has named to
    /// [`crate::Registrar::reads`].
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0.input.values.get(key).map(String::as_str)
    }

    /// Leaves a value for the other middlewares of this exchange; begin the key with the plugin's
    /// name, as in `jwt.issuer`.
    pub fn set_value(&mut self, key: &str, value: &str) {
        self.0.input.values.insert(key.to_owned(), value.to_owned());
        self.0.answer.values.insert(key.to_owned(), value.to_owned());
    }

    /// This middleware's own data, set earlier in the same exchange.
    pub fn slot<T>(&mut self) -> Option<&mut T>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.0.slot.get()
    }

    /// Keeps data until the end of the exchange, as the JSON that serde makes of it.
    pub fn set_slot<T>(&mut self, data: T)
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.0.slot = Slot::of(data);
    }
}

/// The body of the message in hand. It is there in the deferred hooks only: a hook that returns
/// [`crate::Step::Defer`] has the host read it.
impl Exchange<'_> {
    /// Takes the body, leaving an empty one. One that is larger than the host sends into a sandbox goes
    /// on as it is, and cannot be read.
    pub fn take_body(&mut self) -> Body {
        if self.0.input.body_too_large {
            return Body::too_large();
        }
        self.0.answer.body = Some(Bytes::default());
        self.0.input.body.take().map_or_else(Body::elsewhere, |body| Body::of(body.0))
    }

    /// Sets the body.
    pub fn set_body(&mut self, body: Body) {
        self.0.answer.body = body.into_bytes().map(Bytes);
    }

    /// For [`crate::Middleware`]'s own response hook: the host need not call it again.
    pub(crate) fn has_no_response_hook(&mut self) {
        self.0.no_response_hook = true;
    }
}
