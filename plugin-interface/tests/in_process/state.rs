//! The host's side of an exchange, as small as it can be.

use plugin_interface::Body;
use plugin_interface::host::abi_stable::sabi_types::RMut;
use plugin_interface::host::abi_stable::std_types::{RNone, ROption, RSlice, RStr};
use plugin_interface::host::{Address, Edit, HeaderVisitor_TO, RawExchange, Slot};
use std::net::SocketAddr;

type Headers = Vec<(String, Vec<u8>)>;

pub(crate) struct State {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) upstream: Option<String>,
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) request_headers: Headers,
    pub(crate) peer: SocketAddr,
    pub(crate) identity: Option<String>,
    pub(crate) values: Vec<(String, String)>,
    pub(crate) slot: ROption<Slot>,
    pub(crate) body: Body,
}

impl State {
    pub(crate) fn new() -> Self {
        let headers = [("host", "tenon.test"), ("accept", "a"), ("accept", "b")];
        Self {
            method: "GET".to_owned(),
            path: "/a".to_owned(),
            query: Some("b=c".to_owned()),
            upstream: None,
            status: 0,
            headers: headers.map(|(name, value)| (name.to_owned(), value.into())).into(),
            request_headers: vec![("user-agent".to_owned(), b"test".to_vec())],
            peer: SocketAddr::from(([192, 0, 2, 1], 1234)),
            identity: Some("alice".to_owned()),
            values: Vec::new(),
            slot: RNone,
            body: Body::from_owner("body"),
        }
    }

    pub(crate) fn values_of(&self, name: &str) -> Vec<&[u8]> {
        let named = self.headers.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.as_slice()).collect()
    }

    fn refuse(name: RStr<'_>) -> Option<Edit> {
        match name.as_str() {
            "bad name" => Some(Edit::INVALID_NAME),
            "bad-value" => Some(Edit::INVALID_VALUE),
            "one-too-many" => Some(Edit::TOO_MANY),
            "connection" => Some(Edit::FRAMING),
            _ => None,
        }
    }
}

fn find<'a>(headers: &'a Headers, name: RStr<'_>) -> ROption<RSlice<'a, u8>> {
    let found = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name.as_str()));
    found.map(|(_, value)| value.as_slice().into()).into()
}

impl RawExchange for State {
    fn method(&self) -> RStr<'_> {
        self.method.as_str().into()
    }

    fn set_method(&mut self, method: RStr<'_>) -> Edit {
        self.method = method.into();
        Edit::DONE
    }

    fn scheme(&self) -> RStr<'_> {
        "https".into()
    }

    fn authority(&self) -> RStr<'_> {
        "tenon.test:443".into()
    }

    fn path(&self) -> RStr<'_> {
        self.path.as_str().into()
    }

    fn query(&self) -> ROption<RStr<'_>> {
        self.query.as_deref().map(RStr::from).into()
    }

    fn set_target(&mut self, path_and_query: RStr<'_>) -> Edit {
        let Some((path, query)) = path_and_query.as_str().split_once('?') else {
            return Edit::INVALID_VALUE;
        };
        (self.path, self.query) = (path.to_owned(), Some(query.to_owned()));
        Edit::DONE
    }

    fn set_upstream(&mut self, origin: RStr<'_>) -> Edit {
        self.upstream = Some(origin.into());
        Edit::DONE
    }

    fn status(&self) -> u16 {
        self.status
    }

    fn set_status(&mut self, status: u16) -> Edit {
        if self.status == 0 {
            return Edit::NO_RESPONSE;
        }
        self.status = status;
        Edit::DONE
    }

    fn header<'a>(&'a self, name: RStr<'_>) -> ROption<RSlice<'a, u8>> {
        find(&self.headers, name)
    }

    fn set_header(&mut self, name: RStr<'_>, value: RSlice<'_, u8>) -> Edit {
        self.headers.retain(|(key, _)| *key != name.as_str());
        self.append_header(name, value)
    }

    fn append_header(&mut self, name: RStr<'_>, value: RSlice<'_, u8>) -> Edit {
        if let Some(refused) = Self::refuse(name) {
            return refused;
        }
        self.headers.push((name.into(), value.to_vec()));
        Edit::DONE
    }

    fn remove_header(&mut self, name: RStr<'_>) -> bool {
        let before = self.headers.len();
        self.headers.retain(|(key, _)| *key != name.as_str());
        self.headers.len() < before
    }

    fn each_header(&self, mut visitor: HeaderVisitor_TO<'_, RMut<'_, ()>>) {
        let mut visit = |(name, value): &(String, Vec<u8>)| {
            visitor.visit(name.as_str().into(), value.as_slice().into())
        };
        let _ = self.headers.iter().all(&mut visit);
    }

    fn request_header<'a>(&'a self, name: RStr<'_>) -> ROption<RSlice<'a, u8>> {
        find(&self.request_headers, name)
    }

    fn peer(&self) -> Address {
        self.peer.into()
    }

    fn identity(&self) -> ROption<RStr<'_>> {
        self.identity.as_deref().map(RStr::from).into()
    }

    fn value<'a>(&'a self, key: RStr<'_>) -> ROption<RStr<'a>> {
        let found = self.values.iter().rfind(|(name, _)| *name == key.as_str());
        found.map(|(_, value)| RStr::from(value.as_str())).into()
    }

    fn set_value(&mut self, key: RStr<'_>, value: RStr<'_>) {
        self.values.push((key.into(), value.into()));
    }

    fn slot(&mut self) -> &mut ROption<Slot> {
        &mut self.slot
    }

    fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }

    fn set_body(&mut self, body: Body) {
        self.body = body;
    }
}
