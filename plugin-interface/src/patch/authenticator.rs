//! The point `authenticator`: who the client is. Also what a PRE plugin registers that can tell.

use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::guard::{Guarded, catch};
use crate::message::Response;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RBox, RString};
use abi_stable::{StableAbi, sabi_trait};
use async_ffi::{BorrowingFfiFuture, FutureExt};

/// What an authenticator says of a request.
pub enum Verdict {
    /// It is from this user: the exchange's identity from here on.
    Accept(String),
    /// It has no credentials that I know of. The next authenticator is asked; when all abstain the
    /// host answers with a 401 and the challenges of them all.
    Abstain,
    /// Its credentials are wrong: answer with this.
    Reject(Response),
    /// From `authenticate` only: call `authenticate_async`.
    Defer,
}

/// Decides who the client is. The identity is returned and not set on the exchange, so that no
/// other kind of plugin can claim one. Threads, panics and cancellation as in
/// [`crate::Middleware`]; a panic or an error is a 500, never an identity.
pub trait Authenticator: Send + Sync + 'static {
    /// The value of `WWW-Authenticate` that asks for these credentials, as in
    /// `Basic realm="tenon", charset="UTF-8"` (RFC 9110, section 11.6.1).
    fn challenge(&self) -> String;

    /// Looks at the request.
    fn authenticate(&self, exchange: &mut Exchange<'_>) -> Result<Verdict>;

    /// Called after [`Self::authenticate`] returned [`Verdict::Defer`].
    fn authenticate_async(
        &self,
        exchange: &mut Exchange<'_>,
    ) -> impl Future<Output = Result<Verdict>> + Send {
        let _ = exchange;
        async { Err(Error::new("authenticate deferred, but there is no authenticate_async")) }
    }
}

/// [`Verdict`] and failure as they cross the boundary. Frozen within 1.x.
#[repr(C, u8)]
#[derive(StableAbi)]
pub enum RawVerdict {
    /// [`Verdict::Accept`].
    Accept(RString),
    /// [`Verdict::Abstain`].
    Abstain,
    /// [`Verdict::Reject`].
    Reject(Response),
    /// [`Verdict::Defer`].
    Defer,
    /// The call failed or panicked.
    Fail(Error),
}

impl From<Error> for RawVerdict {
    fn from(error: Error) -> Self {
        Self::Fail(error)
    }
}

impl From<Result<Verdict>> for RawVerdict {
    fn from(result: Result<Verdict>) -> Self {
        match result {
            Ok(Verdict::Accept(user)) => Self::Accept(user.into()),
            Ok(Verdict::Abstain) => Self::Abstain,
            Ok(Verdict::Reject(response)) => Self::Reject(response),
            Ok(Verdict::Defer) => Self::Defer,
            Err(error) => Self::Fail(error),
        }
    }
}

/// [`Authenticator`] as it crosses the boundary.
#[sabi_trait]
#[allow(missing_docs)] // see the trait in front of it
pub trait RawAuthenticator: Send + Sync + 'static {
    fn challenge(&self) -> RString;
    fn authenticate(&self, exchange: Exchange<'_>) -> RawVerdict;
    #[sabi(last_prefix_field)]
    fn authenticate_async<'a>(
        &'a self,
        exchange: Exchange<'a>,
    ) -> BorrowingFfiFuture<'a, RawVerdict>;
}

/// A registered authenticator, as the host holds it.
pub type AuthenticatorObject = RawAuthenticator_TO<RBox<()>>;

/// Wraps a plugin's authenticator, or the host's own, for the boundary.
pub fn authenticator_object(authenticator: impl Authenticator) -> AuthenticatorObject {
    RawAuthenticator_TO::from_value(Guarded::new(authenticator), TD_Opaque)
}

impl<A: Authenticator> RawAuthenticator for Guarded<A> {
    fn challenge(&self) -> RString {
        catch(|| A::challenge(self)).unwrap_or_default().into()
    }

    fn authenticate(&self, mut exchange: Exchange<'_>) -> RawVerdict {
        catch(|| A::authenticate(self, &mut exchange))
            .map_or_else(RawVerdict::Fail, RawVerdict::from)
    }

    fn authenticate_async<'a>(
        &'a self,
        mut exchange: Exchange<'a>,
    ) -> BorrowingFfiFuture<'a, RawVerdict> {
        let call =
            async move { RawVerdict::from(A::authenticate_async(self, &mut exchange).await) };
        Guarded::new(call).into_ffi()
    }
}
