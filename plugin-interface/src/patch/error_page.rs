//! The point `error_page`: what a client sees of a failure.

use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::guard::{Guarded, catch};
use crate::message::Response;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RBox, RResult, RStr};
use abi_stable::{StableAbi, sabi_trait};

/// A failure as far as a client may know of it. Borrowed from the host for one call. Frozen within
/// 1.x.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Failure<'a> {
    status: u16,
    reason: RStr<'a>,
}

impl<'a> Failure<'a> {
    /// For the host.
    pub fn new(status: u16, reason: &'a str) -> Self {
        Self { status, reason: reason.into() }
    }

    /// The status of the answer, 400 and above.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The status in words, as in `Bad Gateway`. What went wrong inside is in the log only.
    pub fn reason(&self) -> &'a str {
        self.reason.as_str()
    }
}

/// Makes the answer for a failure. Threads and panics as in [`crate::Middleware`]; when it fails
/// itself, the built-in page is sent.
pub trait ErrorPage: Send + Sync + 'static {
    /// The answer. The host keeps the failure's status and the headers it must send with it
    /// (`WWW-Authenticate`, `Connection`), whatever the page says.
    fn render(&self, exchange: &Exchange<'_>, failure: Failure<'_>) -> Result<Response>;
}

/// [`ErrorPage`] as it crosses the boundary.
#[sabi_trait]
#[allow(missing_docs)] // see the trait in front of it
pub trait RawErrorPage: Send + Sync + 'static {
    #[sabi(last_prefix_field)]
    fn render(&self, exchange: Exchange<'_>, failure: Failure<'_>) -> RResult<Response, Error>;
}

/// A registered error page, as the host holds it.
pub type ErrorPageObject = RawErrorPage_TO<RBox<()>>;

/// Wraps a plugin's error page, or the host's own, for the boundary.
pub fn error_page_object(page: impl ErrorPage) -> ErrorPageObject {
    RawErrorPage_TO::from_value(Guarded::new(page), TD_Opaque)
}

impl<P: ErrorPage> RawErrorPage for Guarded<P> {
    fn render(&self, exchange: Exchange<'_>, failure: Failure<'_>) -> RResult<Response, Error> {
        catch(|| P::render(self, &exchange, failure)).and_then(|result| result).into()
    }
}
