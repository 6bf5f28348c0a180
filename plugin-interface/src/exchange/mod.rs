//! The handle on the host's own request or response.

pub(crate) mod raw;

use crate::body::Body;
use crate::error::Result;
use crate::guard::Guarded;
use abi_stable::StableAbi;
use abi_stable::sabi_trait::{TD_CanDowncast, TD_Opaque};
use abi_stable::sabi_types::RMut;
use abi_stable::std_types::{ROption, RSlice, RStr};
use raw::{HeaderVisitor, HeaderVisitor_TO, RawExchange, RawExchange_TO, RawSlot_TO};
use std::any::Any;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The request or response in hand. Borrows the host's own: nothing is copied, and what a read
/// returns is good until the next call that takes `&mut self`.
///
/// A deferred call may hold it across awaits, but cannot keep it:
/// ```compile_fail,E0521
/// # use plugin_interface::Exchange;
/// fn keep(exchange: &mut Exchange<'_>) {
///     std::thread::spawn(move || exchange.path().len());
/// }
/// ```
/// ```compile_fail,E0502
/// # use plugin_interface::Exchange;
/// fn stale(exchange: &mut Exchange<'_>) {
///     let agent = exchange.header("user-agent");
///     exchange.set_header("user-agent", "x").unwrap();
///     drop(agent);
/// }
/// ```
//
// Two words: the host's `&mut` state without its type, and the vtable. Passed by value, so that a
// plugin never holds a reference to the host's handle and cannot swap it for another.
#[repr(transparent)]
#[derive(StableAbi)]
pub struct Exchange<'a>(RawExchange_TO<'a, RMut<'a, ()>>);

impl<'a> Exchange<'a> {
    /// For the host: lends `state` for one call.
    pub fn new<T: RawExchange + 'a>(state: &'a mut T) -> Self {
        Self(RawExchange_TO::from_ptr(RMut::new(state), TD_Opaque))
    }
}

/// The request line, and the status.
impl Exchange<'_> {
    /// The request's method, as in `GET`.
    pub fn method(&self) -> &str {
        self.0.method().as_str()
    }

    /// Changes the request's method.
    pub fn set_method(&mut self, method: &str) -> Result<()> {
        self.0.set_method(method.into()).into_result("the method")
    }

    /// How the client reached us: `http` or `https`.
    pub fn scheme(&self) -> &str {
        self.0.scheme().as_str()
    }

    /// The host, and the port if there was one, that the client asked for.
    pub fn authority(&self) -> &str {
        self.0.authority().as_str()
    }

    /// The request's path, percent-encoded as it came.
    pub fn path(&self) -> &str {
        self.0.path().as_str()
    }

    /// What follows the `?`, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.0.query().into_option().map(|text| text.as_str())
    }

    /// Rewrites path and query of the request: `/a/b?c=d`.
    pub fn set_target(&mut self, path_and_query: &str) -> Result<()> {
        self.0.set_target(path_and_query.into()).into_result("the target")
    }

    /// Sends this request to another upstream than the configured one: `http://127.0.0.1:81`.
    pub fn set_upstream(&mut self, origin: &str) -> Result<()> {
        self.0.set_upstream(origin.into()).into_result("the upstream")
    }

    /// The status of the response in hand; 0 while there is none.
    pub fn status(&self) -> u16 {
        self.0.status()
    }

    /// Changes the status of the response in hand.
    pub fn set_status(&mut self, status: u16) -> Result<()> {
        self.0.set_status(status).into_result("the status")
    }
}

/// The headers of the message in hand: of the request in a request hook, of the response in a
/// response hook.
impl Exchange<'_> {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.0.header(name.into()).into_option().map(|bytes| bytes.as_slice())
    }

    /// The first header of that name if it is text.
    pub fn header_str(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.header(name)?).ok()
    }

    /// Puts this header in place of all of that name.
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.0.set_header(name.into(), value.as_ref().into()).into_result(name)
    }

    /// Adds a header beside those of that name.
    pub fn append_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.0.append_header(name.into(), value.as_ref().into()).into_result(name)
    }

    /// Removes all headers of that name; says whether there were any.
    pub fn remove_header(&mut self, name: &str) -> bool {
        self.0.remove_header(name.into())
    }

    /// Calls `visit` with each header, until it returns false.
    pub fn each_header(&self, visit: impl FnMut(&str, &[u8]) -> bool) {
        let mut visitor = CatchingVisitor { visit, panic: None };
        self.0.each_header(HeaderVisitor_TO::from_ptr(RMut::new(&mut visitor), TD_Opaque));
        if let Some(payload) = visitor.panic {
            resume_unwind(payload); // we are past the host's frame again
        }
    }

    /// The first header of that name of the request, also while the response is in hand.
    pub fn request_header(&self, name: &str) -> Option<&[u8]> {
        self.0.request_header(name.into()).into_option().map(|bytes| bytes.as_slice())
    }
}

/// Who asks, and what middlewares tell each other.
impl Exchange<'_> {
    /// The client's address. Behind proxies that the host is told to trust, the one they report.
    pub fn peer(&self) -> SocketAddr {
        self.0.peer().into()
    }

    /// The authenticated user. Only an [`crate::Authenticator`] makes one.
    pub fn identity(&self) -> Option<&str> {
        self.0.identity().into_option().map(|text| text.as_str())
    }

    /// A value that another middleware has left for this exchange.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0.value(key.into()).into_option().map(|text| text.as_str())
    }

    /// Leaves a value for the other middlewares of this exchange; begin the key with the plugin's
    /// name, as in `jwt.issuer`.
    pub fn set_value(&mut self, key: &str, value: &str) {
        self.0.set_value(key.into(), value.into());
    }

    /// This middleware's own data, set earlier in the same exchange.
    pub fn slot<T: Send + Sync + 'static>(&mut self) -> Option<&mut T> {
        // The type check includes the library's identity: another library's data is never taken
        // for ours, even if the host mixes up the slots.
        let slot = self.0.slot().as_mut().into_option()?;
        let guarded: &mut Guarded<T> = slot.obj.downcast_as_mut().ok()?;
        Some(guarded)
    }

    /// Keeps data until the end of the exchange; dropped with it, on any thread.
    pub fn set_slot<T: Send + Sync + 'static>(&mut self, data: T) {
        *self.0.slot() = ROption::RSome(RawSlot_TO::from_value(Guarded::new(data), TD_CanDowncast));
    }
}

/// The body of the message in hand.
impl Exchange<'_> {
    /// Takes the body, leaving an empty one: to read it, or to put another around it.
    pub fn take_body(&mut self) -> Body {
        self.0.take_body()
    }

    /// Sets the body. The host sends a `Content-Length` if [`Body::size_hint`] is exact, and
    /// chunks otherwise.
    pub fn set_body(&mut self, body: Body) {
        self.0.set_body(body);
    }
}

impl Exchange<'_> {
    /// For [`crate::Middleware`]'s own hook, which matters in a sandbox only.
    #[allow(clippy::unused_self)]
    pub(crate) fn has_no_response_hook(&mut self) {}
}

/// Stops the walk on a panic and keeps it until the host's frame is off the stack.
struct CatchingVisitor<F> {
    visit: F,
    panic: Option<Box<dyn Any + Send>>,
}

impl<F: FnMut(&str, &[u8]) -> bool> HeaderVisitor for CatchingVisitor<F> {
    fn visit(&mut self, name: RStr<'_>, value: RSlice<'_, u8>) -> bool {
        let call = || (self.visit)(name.as_str(), value.as_slice());
        catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| {
            self.panic = Some(payload);
            false
        })
    }
}
