//! The host's side of an exchange, with the host's own rules.

use crate::body::Body;
use crate::error::{Error, Result};
use crate::exchange::raw::{Address, Edit, HeaderVisitor_TO, RawExchange, Slot};
use crate::message::Response;
use abi_stable::sabi_types::RMut;
use abi_stable::std_types::{RNone, ROption, RSlice, RStr};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, request, response};
use std::collections::HashMap;
use std::net::SocketAddr;

/// A middleware of a plugin: their numbers.
pub(super) type Place = (usize, usize);

/// A request, and once somebody has answered, its response.
pub(super) struct State {
    pub(super) request: request::Parts,
    pub(super) response: Option<response::Parts>,
    /// The body of the message in hand.
    pub(super) body: Body,
    pub(super) peer: SocketAddr,
    pub(super) scheme: String,
    pub(super) authority: String,
    pub(super) identity: Option<String>,
    pub(super) upstream: Option<Uri>,
    pub(super) values: HashMap<String, String>,
    pub(super) slots: HashMap<Place, ROption<Slot>>,
    /// Who is being called.
    pub(super) current: Place,
}

impl State {
    /// Somebody has answered. An error if HTTP cannot carry the answer.
    pub(super) fn respond(&mut self, answer: Response) -> Result<()> {
        let mut answer = answer.into_parts();
        let mut head = http::Response::new(()).into_parts().0;
        head.status = StatusCode::from_u16(answer.status)
            .ok()
            .filter(|status| !status.is_informational())
            .ok_or_else(|| {
                Error::new(format_args!("{} is no status to answer with", answer.status))
            })?;
        answer.headers.retain(|header| !is_framing(&header.name.to_ascii_lowercase()));
        head.headers = crate::http::header_map(&answer.headers)?;
        self.response = Some(head);
        self.body = answer.body;
        Ok(())
    }

    fn headers(&self) -> &HeaderMap {
        self.response.as_ref().map_or(&self.request.headers, |response| &response.headers)
    }

    pub(super) fn headers_mut(&mut self) -> &mut HeaderMap {
        match &mut self.response {
            Some(response) => &mut response.headers,
            None => &mut self.request.headers,
        }
    }

    fn edit(
        &mut self,
        name: RStr<'_>,
        value: RSlice<'_, u8>,
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

/// The headers that the host sets itself; the name is in lower case.
fn is_framing(name: &str) -> bool {
    const FRAMING: [&str; 8] = [
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    FRAMING.contains(&name)
}

// As in the host, nothing here may panic: the caller is a plugin.
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
        self.scheme.as_str().into()
    }

    fn authority(&self) -> RStr<'_> {
        self.authority.as_str().into()
    }

    fn path(&self) -> RStr<'_> {
        self.request.uri.path().into()
    }

    fn query(&self) -> ROption<RStr<'_>> {
        self.request.uri.query().map(RStr::from).into()
    }

    fn set_target(&mut self, path_and_query: RStr<'_>) -> Edit {
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
            Ok(status) if !status.is_informational() => {
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
        self.values.get(key.as_str()).map(|value| RStr::from(value.as_str())).into()
    }

    fn set_value(&mut self, key: RStr<'_>, value: RStr<'_>) {
        self.values.insert(key.into(), value.into());
    }

    fn slot(&mut self) -> &mut ROption<Slot> {
        self.slots.entry(self.current).or_insert(RNone)
    }

    fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }

    fn set_body(&mut self, body: Body) {
        self.body = body;
    }
}
