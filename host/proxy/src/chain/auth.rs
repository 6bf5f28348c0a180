//! Who a request is from: what authenticators say, whom locks keep out, and the record of both.

use super::{Chain, Kind, LinkError, Turn, apply};
use crate::audit::{AuditEvent, LoginEvent, LoginOutcome, bounded};
use crate::builtin::basic_auth::{LONGEST, claimed_user};
use crate::exchange::State;
use crate::failure::Failure;
use crate::service::Connection;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use plugin_interface::host::{AuthenticatorObject, RawStep, RawVerdict};
use plugin_interface::{Error, Exchange};
use std::borrow::Cow;
use std::sync::Arc;

/// Knows which users are locked.
pub trait LockCheck: Send + Sync {
    /// The message of a lock that holds this user, for the user to read. Asked for each request
    /// with a user, while it waits: this must not block.
    fn locked(&self, user: &str) -> Option<Arc<str>>;
}

/// An authenticator in its place in the chain.
pub(super) struct Auth {
    object: Arc<AuthenticatorObject>,
    /// Whether it asks for users and passwords: the user can then be told before it has looked.
    basic: bool,
}

impl Auth {
    pub(super) fn new(object: Arc<AuthenticatorObject>) -> Self {
        let challenge = object.challenge();
        let scheme = challenge.split(' ').next().unwrap_or_default();
        let basic = scheme.eq_ignore_ascii_case("basic");
        Self { object, basic }
    }

    /// How it asks for credentials.
    pub(super) fn challenge(&self) -> String {
        self.object.challenge().into()
    }
}

impl Chain {
    /// Lets pass who has an identity, asks the last authenticator else, and at the end for
    /// credentials of any kind.
    pub(super) async fn gate(
        &self,
        state: &mut State,
        connection: &Connection,
        name: &str,
        auth: Option<&Auth>,
    ) -> Result<Turn, LinkError> {
        if let Some(auth) = auth {
            let turn = self.authenticate(state, connection, name, auth).await?;
            if matches!(turn, Turn::Answered) {
                return Ok(turn);
            }
        }
        if state.identity.is_some() {
            return Ok(Turn::Next);
        }
        let mut challenges = Vec::new();
        for link in &self.links {
            let (Kind::Authenticator(auth) | Kind::Gate(Some(auth))) = &link.kind else {
                continue;
            };
            // One that panicked, which is in the log, has none.
            let challenge = auth.object.challenge();
            if let (false, Ok(value)) = (challenge.is_empty(), HeaderValue::from_str(&challenge)) {
                challenges.push(value);
            }
        }
        Err(LinkError::Failure(Failure::Unauthenticated { challenges }))
    }

    /// Asks an authenticator, unless another has told who it is.
    ///
    /// A locked user is turned away before a password is looked at, so that the answer is no
    /// oracle for it; and after it was accepted, since only then the user of other credentials is
    /// known, and an authenticator may call a user by another name than the client does.
    pub(super) async fn authenticate(
        &self,
        state: &mut State,
        connection: &Connection,
        name: &str,
        auth: &Auth,
    ) -> Result<Turn, LinkError> {
        if state.identity.is_some() {
            return Ok(Turn::Next);
        }
        if auth.basic && self.locks.is_some() {
            self.check_claim(state, name)?;
        }
        let mut verdict = auth.object.authenticate(Exchange::new(state));
        if let RawVerdict::Defer = verdict {
            verdict = auth.object.authenticate_async(Exchange::new(state)).await;
        }
        match verdict {
            RawVerdict::Accept(user) if user.is_empty() => {
                Err(LinkError::Plugin(Error::new("it accepted a user without a name")))
            }
            RawVerdict::Accept(user) => {
                self.check_lock(state, name, &user)?;
                self.record_success(state, connection, name, &user);
                state.identity = Some(user.into());
                Ok(Turn::Next)
            }
            RawVerdict::Abstain => Ok(Turn::Next),
            RawVerdict::Reject(response) => {
                let turn = apply(state, RawStep::Respond(response))?;
                self.record_failure(state, name);
                Ok(turn)
            }
            RawVerdict::Defer => apply(state, RawStep::Defer),
            RawVerdict::Fail(error) => Err(LinkError::Plugin(error)),
        }
    }

    fn check_claim(&self, state: &State, method: &str) -> Result<(), LinkError> {
        match claim(state, &mut [0; LONGEST]) {
            Some(user) => self.check_lock(state, method, &user),
            None => Ok(()),
        }
    }

    fn check_lock(&self, state: &State, method: &str, user: &str) -> Result<(), LinkError> {
        let Some(locks) = &self.locks else { return Ok(()) };
        let Some(message) = locks.locked(bounded(user)) else { return Ok(()) };
        self.metrics.count_locked();
        if let Some(audit) = &self.audit {
            let outcome = LoginOutcome::Locked { message: message.clone() };
            audit.record(AuditEvent::Login(LoginEvent::new(state, method, user, outcome)));
        }
        Err(LinkError::Failure(Failure::Locked { user: user.to_owned(), message }))
    }

    fn record_success(&self, state: &State, connection: &Connection, method: &str, user: &str) {
        let Some(audit) = &self.audit else { return };
        if connection.is_new_login(user) {
            let event = LoginEvent::new(state, method, user, LoginOutcome::Success);
            audit.record(AuditEvent::Login(event));
        }
    }

    /// The authenticator has answered. That is no failed login if it sends the client elsewhere to
    /// log in, or has no time for it.
    fn record_failure(&self, state: &State, method: &str) {
        let Some(audit) = &self.audit else { return };
        let answer = state.response.as_ref();
        if !answer.is_some_and(|answer| answer.status.is_client_error()) {
            return;
        }
        let buffer = &mut [0; LONGEST];
        let (user, error) = match claim(state, buffer) {
            Some(user) => (user, "wrong user or password"),
            None => (Cow::Borrowed(""), "wrong credentials"),
        };
        let event = LoginEvent::new(state, method, &user, LoginOutcome::Failure { error });
        audit.record(AuditEvent::Login(event));
    }
}

/// Whom the client claims to be, if it sends a user and a password.
fn claim<'a>(state: &State, buffer: &'a mut [u8; LONGEST]) -> Option<Cow<'a, str>> {
    claimed_user(state.request.headers.get(AUTHORIZATION)?.as_bytes(), buffer)
}
