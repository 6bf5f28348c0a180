//! The exchange as it crosses the boundary: implemented by the host on its own state.

use crate::body::Body;
use crate::error::Error;
use crate::guard::Guarded;
use abi_stable::sabi_types::RMut;
use abi_stable::std_types::{RBox, ROption, RSlice, RStr};
use abi_stable::{StableAbi, sabi_trait};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the host implements on its own state. `header` and its kin act on the message in hand: the
/// request in a request hook, the response in a response hook.
///
/// The host owns all that is returned by reference; it is good until the next call that takes
/// `&mut self`. Calls come from whichever thread runs the plugin's hook, one at a time when they
/// change something. No method may panic: the caller is a plugin, and unwinding into it ends the
/// process.
#[sabi_trait]
#[allow(missing_docs)] // see the trait in front of it
pub trait RawExchange: Send + Sync {
    fn method(&self) -> RStr<'_>;
    fn set_method(&mut self, method: RStr<'_>) -> Edit;
    fn scheme(&self) -> RStr<'_>;
    fn authority(&self) -> RStr<'_>;
    fn path(&self) -> RStr<'_>;
    fn query(&self) -> ROption<RStr<'_>>;
    fn set_target(&mut self, path_and_query: RStr<'_>) -> Edit;
    fn set_upstream(&mut self, origin: RStr<'_>) -> Edit;
    fn status(&self) -> u16;
    fn set_status(&mut self, status: u16) -> Edit;
    fn header<'a>(&'a self, name: RStr<'_>) -> ROption<RSlice<'a, u8>>;
    fn set_header(&mut self, name: RStr<'_>, value: RSlice<'_, u8>) -> Edit;
    fn append_header(&mut self, name: RStr<'_>, value: RSlice<'_, u8>) -> Edit;
    fn remove_header(&mut self, name: RStr<'_>) -> bool;
    fn each_header(&self, visitor: HeaderVisitor_TO<'_, RMut<'_, ()>>);
    fn request_header<'a>(&'a self, name: RStr<'_>) -> ROption<RSlice<'a, u8>>;
    fn peer(&self) -> Address;
    fn identity(&self) -> ROption<RStr<'_>>;
    fn value<'a>(&'a self, key: RStr<'_>) -> ROption<RStr<'a>>;
    fn set_value(&mut self, key: RStr<'_>, value: RStr<'_>);
    /// The slot of the middleware that is being called, and of no other.
    fn slot(&mut self) -> &mut ROption<Slot>;
    fn take_body(&mut self) -> Body;
    #[sabi(last_prefix_field)]
    fn set_body(&mut self, body: Body);
}

/// What became of an edit. A newtype and not an enum, so that it may grow.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit(u8);

impl Edit {
    /// It is done.
    pub const DONE: Self = Self(0);
    /// Not a name that HTTP allows.
    pub const INVALID_NAME: Self = Self(1);
    /// Not a value that HTTP allows.
    pub const INVALID_VALUE: Self = Self(2);
    /// The message has as many headers as it may have.
    pub const TOO_MANY: Self = Self(3);
    /// The host frames messages itself: `Content-Length`, `Transfer-Encoding`, `Connection` and
    /// what else belongs to one connection cannot be set.
    pub const FRAMING: Self = Self(4);
    /// There is no response in hand yet.
    pub const NO_RESPONSE: Self = Self(5);

    pub(super) fn into_result(self, what: &str) -> Result<(), Error> {
        let reason = match self {
            Self::DONE => return Ok(()),
            Self::INVALID_NAME => "not a valid name",
            Self::INVALID_VALUE => "not a valid value",
            Self::TOO_MANY => "the message has too many headers",
            Self::FRAMING => "the host sets the headers of the connection itself",
            Self::NO_RESPONSE => "there is no response yet",
            _ => "the host refused it",
        };
        Err(Error::new(format_args!("{what}: {reason}")))
    }
}

/// An IP address with its port. Frozen within 1.x.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    octets: [u8; 16],
    port: u16,
    v6: bool,
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        let port = address.port();
        match address.ip() {
            IpAddr::V4(ip) => Self { octets: ip.to_ipv6_mapped().octets(), port, v6: false },
            IpAddr::V6(ip) => Self { octets: ip.octets(), port, v6: true },
        }
    }
}

impl From<Address> for SocketAddr {
    fn from(address: Address) -> Self {
        let [.., a, b, c, d] = address.octets;
        let ip = if address.v6 {
            IpAddr::V6(Ipv6Addr::from(address.octets))
        } else {
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        };
        Self::new(ip, address.port)
    }
}

/// Called for each header; `false` ends the walk.
#[sabi_trait]
#[allow(missing_docs)] // see the trait in front of it
pub trait HeaderVisitor {
    #[sabi(last_prefix_field)]
    fn visit(&mut self, name: RStr<'_>, value: RSlice<'_, u8>) -> bool;
}

/// A plugin's own data in the exchange: opaque to the host, dropped by the plugin's code.
#[sabi_trait]
#[allow(missing_docs)] // see the trait in front of it
pub trait RawSlot: Send + Sync + 'static {
    #[sabi(last_prefix_field)]
    fn reserved(&self) {}
}

impl<T: Send + Sync + 'static> RawSlot for Guarded<T> {}

/// The place for it in the host's state.
pub type Slot = RawSlot_TO<RBox<()>>;
