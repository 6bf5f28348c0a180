//! Who a request is from: what authenticators say, whom locks keep out, and the record of both.

use super::{Link, Links, Part, Turn};
use crate::audit::{AuditEvent, LoginEvent, LoginOutcome, bounded};
use crate::builtin::basic_auth::{LONGEST, claimed_user};
use crate::exchange::State;
use crate::failure::Failure;
use crate::service::Connection;
use crate::stage::{Admission, Decision, Stage};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use plugin_interface::host::{AuthenticatorObject, RawVerdict};
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
    pub(super) part: Part<Arc<AuthenticatorObject>>,
    /// Whether it asks for users and passwords: the user can then be told before it has looked.
    basic: bool,
}

impl Auth {
    pub(super) fn new(part: Part<Arc<AuthenticatorObject>>) -> Self {
        let challenge = part.object.challenge();
        let scheme = challenge.split(' ').next().unwrap_or_default();
        let basic = scheme.eq_ignore_ascii_case("basic");
        Self { part, basic }
    }

    /// How it asks for credentials.
    pub(super) fn challenge(&self) -> String {
        self.part.object.challenge().into()
    }

    fn is_off(&self) -> bool {
        self.part.stage.is_off()
    }
}

/// Where a request must have an identity.
pub(super) struct Gate {
    pub(super) stage: Arc<Stage>,
    /// Asked last; none if only PRE plugins can tell.
    pub(super) auth: Option<Auth>,
    /// The built-in, asked while its patch is disabled.
    pub(super) fallback: Option<Auth>,
}

impl Gate {
    /// Who is asked: the patch or the built-in. None if that is disabled.
    fn asked(&self) -> Option<&Auth> {
        [&self.auth, &self.fallback].into_iter().flatten().find(|auth| !auth.is_off())
    }
}

/// What an authenticator has said, as far as the host can take it.
enum Judged {
    User(String),
    Nobody,
    Rejected,
}

impl Links {
    /// Lets pass who has an identity, asks the last authenticator else, and at the end for
    /// credentials of any kind.
    pub(super) async fn gate(
        &self,
        state: &mut State,
        connection: &Connection,
        gate: &Gate,
    ) -> Result<Turn, Failure> {
        if let Some(auth) = gate.asked() {
            let turn = self.authenticate(state, connection, auth).await?;
            if matches!(turn, Turn::Answered) {
                return Ok(turn);
            }
        }
        match state.identity {
            Some(_) => Ok(Turn::Next),
            None => Err(self.unauthenticated(gate)),
        }
    }

    /// Nobody has told who the client is. If nobody could, since all who can are disabled, the
    /// client is not to blame.
    fn unauthenticated(&self, gate: &Gate) -> Failure {
        let in_pre = self.links.iter().filter_map(|link| match link {
            Link::Authenticator(auth) if !auth.is_off() => Some(auth),
            _ => None,
        });
        let mut asked = in_pre.chain(gate.asked()).peekable();
        if asked.peek().is_none() {
            let plugin = Arc::from("authentication");
            return Failure::Disabled { plugin, by: "an operator" };
        }
        // One that panicked, which is in the log, has none.
        let challenges = asked.map(|auth| auth.part.object.challenge());
        let challenges = challenges.filter(|challenge| !challenge.is_empty());
        let challenges = challenges.filter_map(|it| HeaderValue::from_str(&it).ok()).collect();
        Failure::Unauthenticated { challenges }
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
        auth: &Auth,
    ) -> Result<Turn, Failure> {
        if state.identity.is_some() {
            return Ok(Turn::Next);
        }
        let Auth { part, basic } = auth;
        let name = &part.name;
        if *basic && self.locks.is_some() && !auth.is_off() {
            self.check_claim(state, name)?;
            state.progress.resume();
        }
        let mut call = match part.stage.admit(&mut state.progress) {
            Admission::Call(call) => call,
            Admission::Without => return Ok(Turn::Without),
            Admission::Refused => return Err(part.refused()),
        };
        let mut verdict = part.object.authenticate(Exchange::new(state));
        if let RawVerdict::Defer = verdict {
            verdict = call.wait(part.object.authenticate_async(Exchange::new(state))).await;
        }
        let judged = match judge(state, verdict) {
            Ok(judged) => judged,
            Err(error) => return self.after_failure(state, part, call, error),
        };
        call.decided(&mut state.progress, judged.decision());
        match judged {
            Judged::User(user) => {
                self.check_lock(state, name, &user)?;
                self.record_success(state, connection, name, &user);
                state.identity = Some(user);
                if self.locks.is_some() || self.audit.is_some() {
                    state.progress.resume(); // what they took is no plugin's time
                }
                Ok(Turn::Next)
            }
            Judged::Nobody => Ok(Turn::Next),
            Judged::Rejected => {
                self.record_failure(state, name);
                Ok(Turn::Answered)
            }
        }
    }

    fn check_claim(&self, state: &State, method: &str) -> Result<(), Failure> {
        match claim(state, &mut [0; LONGEST]) {
            Some(user) => self.check_lock(state, method, &user),
            None => Ok(()),
        }
    }

    fn check_lock(&self, state: &State, method: &str, user: &str) -> Result<(), Failure> {
        let Some(locks) = &self.locks else { return Ok(()) };
        let Some(message) = locks.locked(bounded(user)) else { return Ok(()) };
        self.metrics.count_locked();
        if let Some(audit) = &self.audit {
            let outcome = LoginOutcome::Locked { message: message.clone() };
            audit.record(AuditEvent::Login(LoginEvent::new(state, method, user, outcome)));
        }
        Err(Failure::Locked { user: user.to_owned(), message })
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

impl Judged {
    fn decision(&self) -> Decision {
        match self {
            Self::User(_) | Self::Nobody => Decision::Next,
            Self::Rejected => Decision::Respond,
        }
    }
}

fn judge(state: &mut State, verdict: RawVerdict) -> Result<Judged, Error> {
    match verdict {
        RawVerdict::Accept(user) if user.is_empty() => {
            Err(Error::new("it accepted a user without a name"))
        }
        RawVerdict::Accept(user) => Ok(Judged::User(user.into())),
        RawVerdict::Abstain => Ok(Judged::Nobody),
        RawVerdict::Reject(response) => state.respond(response).map(|()| Judged::Rejected),
        RawVerdict::Defer => Err(Error::new("an asynchronous hook deferred again")),
        RawVerdict::Fail(error) => Err(error),
    }
}

/// Whom the client claims to be, if it sends a user and a password.
fn claim<'a>(state: &State, buffer: &'a mut [u8; LONGEST]) -> Option<Cow<'a, str>> {
    claimed_user(state.request.headers.get(AUTHORIZATION)?.as_bytes(), buffer)
}
