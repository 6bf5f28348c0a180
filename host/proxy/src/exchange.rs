//! A request and its response, and the view of them that plugins get.

use crate::body::Payload;
use crate::headers::is_framing;
use crate::service::Connection;
use crate::shadow::Copies;
use crate::stage::Progress;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{Method, StatusCode, request, response};
use plugin_interface::host::abi_stable::sabi_types::RMut;
use plugin_interface::host::abi_stable::std_types::{RNone, ROption, RSlice, RStr};
use plugin_interface::host::{Address, Edit, HeaderVisitor_TO, RawExchange, Slot};
use plugin_interface::{Body, Error, Response};
use std::net::SocketAddr;

/// One request on its way through the chain and back.
pub(crate) struct State {
    pub(crate) request: request::Parts,
    /// There once somebody has answered; headers and body are then the response's.
    pub(crate) response: Option<response::Parts>,
    /// The body of the message in hand.
    pub(crate) body: Payload,
    /// Whether a plugin has had the body: its old length means nothing then.
    pub(crate) body_changed: bool,
    /// How often a plugin has had a body: whether one link has is the difference.
    pub(crate) body_changes: u32,
    /// Whether the plugin that is being called has the body, and has put none in its place.
    pub(crate) body_taken: bool,
    pub(crate) peer: SocketAddr,
    pub(crate) scheme: &'static str,
    /// What the client calls us.
    pub(crate) authority: HeaderValue,
    pub(crate) identity: Option<String>,
    /// Another upstream than the configured one.
    pub(crate) upstream: Option<Uri>,
    /// What is being copied for shadows; none where there are none.
    pub(crate) copies: Option<Box<Copies>>,
    pub(crate) values: Vec<(String, String)>,
    /// One slot for each link of the chain, made at the first use.
    slots: Vec<ROption<Slot>>,
    /// Whom the chain is calling. Fixed while a plugin borrows the state.
    pub(crate) current: usize,
    pub(crate) progress: Progress,
}

impl State {
    pub(crate) fn new(request: request::Parts, body: Payload, connection: &Connection) -> Self {
        Self {
            request,
            response: None,
            body,
            body_changed: false,
            body_changes: 0,
            body_taken: false,
            peer: connection.peer,
            scheme: connection.scheme,
            authority: HeaderValue::from_static(""),
            identity: None,
            upstream: None,
            copies: None,
            values: Vec::new(),
            slots: Vec::new(),
            current: 0,
            progress: Progress::new(),
        }
    }

    /// The same exchange once more, without its bodies and what plugins keep in their slots.
    pub(crate) fn copy(&self) -> Self {
        Self {
            request: self.request.clone(),
            response: self.response.clone(),
            body: Payload::Empty,
            body_changed: self.body_changed,
            body_taken: false,
            body_changes: self.body_changes,
            peer: self.peer,
            scheme: self.scheme,
            authority: self.authority.clone(),
            identity: self.identity.clone(),
            upstream: self.upstream.clone(),
            copies: None,
            values: self.values.clone(),
            slots: Vec::new(),
            progress: Progress::new(),
            current: self.current,
        }
    }

    /// Goes on with what plugins have kept in the slots of `earlier`.
    pub(crate) fn take_slots(&mut self, earlier: &mut Self) {
        self.slots = std::mem::take(&mut earlier.slots);
    }

    /// The upstream has answered.
    pub(crate) fn set_response(&mut self, head: response::Parts, body: Payload) {
        self.response = Some(head);
        self.body = body;
        self.body_changed = false;
    }

    /// A plugin has answered. An error if HTTP cannot carry its answer.
    pub(crate) fn respond(&mut self, answer: Response) -> Result<(), Error> {
        let mut answer = answer.into_parts();
        let mut head = http::Response::new(()).into_parts().0;
        head.status = StatusCode::from_u16(answer.status)
            .ok()
            .filter(|status| !status.is_informational())
            .ok_or_else(|| {
                Error::new(format_args!("{} is no status to answer with", answer.status))
            })?;
        // What frames a message is ours: an answer passed on from elsewhere may have it.
        answer.headers.retain(|header| {
            let name = header.name.to_ascii_lowercase();
            !is_framing(&name)
        });
        head.headers = plugin_interface::http::header_map(&answer.headers)?;
        self.set_response(head, Payload::Plugin(answer.body));
        self.body_changed = true;
        self.body_changes += 1;
        Ok(())
    }

    fn headers(&self) -> &HeaderMap {
        self.response.as_ref().map_or(&self.request.headers, |response| &response.headers)
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        match &mut self.response {
            Some(response) => &mut response.headers,
            None => &mut self.request.headers,
        }
    }

    fn edit(
        &mut self,
        name: RStr<'_>,
        value: RSlice<'_, u8>,
        // `insert` and `append` panic when the map is full, `try_…` do not.
        put: impl FnOnce(&mut HeaderMap, HeaderName, HeaderValue) -> bool,
    ) -> Edit {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { return Edit::INVALID_NAME };
        if is_framing(name.as_str()) {
            return Edit::FRAMING;
        }
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Edit::INVALID_VALUE };
        if put(self.headers_mut(), name, value) { Edit::DONE } else { Edit::TOO_MANY }
    }
}

// No `unsafe`, and no function here may panic: the caller is a plugin.
impl RawExchange for State {
    fn method(&self) -> RStr<'_> {
        self.request.method.as_str().into()
    }

    fn set_method(&mut self, method: RStr<'_>) -> Edit {
        match Method::from_bytes(method.as_bytes()) {
            Ok(Method::CONNECT) | Err(_) => Edit::INVALID_VALUE,
            Ok(method) => {
                self.request.method = method;
                Edit::DONE
            }
        }
    }

    fn scheme(&self) -> RStr<'_> {
        self.scheme.into()
    }

    fn authority(&self) -> RStr<'_> {
        self.authority.to_str().unwrap_or_default().into()
    }

    fn path(&self) -> RStr<'_> {
        self.request.uri.path().into()
    }

    fn query(&self) -> ROption<RStr<'_>> {
        self.request.uri.query().map(RStr::from).into()
    }

    fn set_target(&mut self, path_and_query: RStr<'_>) -> Edit {
        // The parser would also take `a` or `*`; an upstream would not.
        if !path_and_query.starts_with('/') || path_and_query.contains('#') {
            return Edit::INVALID_VALUE;
        }
        let Ok(target) = PathAndQuery::try_from(path_and_query.as_str()) else {
            return Edit::INVALID_VALUE;
        };
        self.request.uri = Uri::from(target);
        Edit::DONE
    }

    fn set_upstream(&mut self, origin: RStr<'_>) -> Edit {
        let Ok(uri) = origin.parse::<Uri>() else { return Edit::INVALID_VALUE };
        let http = matches!(uri.scheme_str(), Some("http" | "https"));
        // A password would end up in `Host`, and in the log.
        let user = uri.authority().is_none_or(|authority| authority.as_str().contains('@'));
        if !http || user || uri.path() != "/" || uri.query().is_some() {
            return Edit::INVALID_VALUE;
        }
        self.upstream = Some(uri);
        Edit::DONE
    }

    fn status(&self) -> u16 {
        self.response.as_ref().map_or(0, |response| response.status.as_u16())
    }

    fn set_status(&mut self, status: u16) -> Edit {
        let Some(response) = &mut self.response else { return Edit::NO_RESPONSE };
        match StatusCode::from_u16(status) {
            // The switch of protocols, once made or not, is not a plugin's to undo.
            Ok(status) if !status.is_informational() && !response.status.is_informational() => {
                response.status = status;
                Edit::DONE
            }
            _ => Edit::INVALID_VALUE,
        }
    }

    fn header<'a>(&'a self, name: RStr<'_>) -> ROption<RSlice<'a, u8>> {
        self.headers().get(name.as_str()).map(|value| value.as_bytes().into()).into()
    }

    fn set_header(&mut self, name: RStr<'_>, value: RSlice<'_, u8>) -> Edit {
        self.edit(name, value, |headers, name, value| headers.try_insert(name, value).is_ok())
    }

    fn append_header(&mut self, name: RStr<'_>, value: RSlice<'_, u8>) -> Edit {
        self.edit(name, value, |headers, name, value| headers.try_append(name, value).is_ok())
    }

    fn remove_header(&mut self, name: RStr<'_>) -> bool {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { return false };
        !is_framing(name.as_str()) && self.headers_mut().remove(name).is_some()
    }

    fn each_header(&self, mut visitor: HeaderVisitor_TO<'_, RMut<'_, ()>>) {
        for (name, value) in self.headers() {
            if !visitor.visit(name.as_str().into(), value.as_bytes().into()) {
                return;
            }
        }
    }

    fn request_header<'a>(&'a self, name: RStr<'_>) -> ROption<RSlice<'a, u8>> {
        self.request.headers.get(name.as_str()).map(|value| value.as_bytes().into()).into()
    }

    fn peer(&self) -> Address {
        self.peer.into()
    }

    fn identity(&self) -> ROption<RStr<'_>> {
        self.identity.as_deref().map(RStr::from).into()
    }

    fn value<'a>(&'a self, key: RStr<'_>) -> ROption<RStr<'a>> {
        let found = self.values.iter().find(|(name, _)| *name == key.as_str());
        found.map(|(_, value)| RStr::from(value.as_str())).into()
    }

    fn set_value(&mut self, key: RStr<'_>, value: RStr<'_>) {
        match self.values.iter_mut().find(|(name, _)| *name == key.as_str()) {
            Some((_, old)) => *old = value.into(),
            None => self.values.push((key.into(), value.into())),
        }
    }

    fn slot(&mut self) -> &mut ROption<Slot> {
        if self.slots.len() <= self.current {
            self.slots.resize_with(self.current + 1, || RNone);
        }
        &mut self.slots[self.current]
    }

    fn take_body(&mut self) -> Body {
        (self.body_changed, self.body_taken) = (true, !self.body.is_empty());
        self.body_changes += 1;
        std::mem::take(&mut self.body).into_plugin()
    }

    fn set_body(&mut self, body: Body) {
        (self.body_changed, self.body_taken) = (true, false);
        self.body_changes += 1;
        self.body = Payload::Plugin(body);
    }
}
