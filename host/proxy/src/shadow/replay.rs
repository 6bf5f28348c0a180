//! A candidate, called with the copies of a request.

use super::compare::{Comparison, Outcome, compare};
use super::content::{Absent, Content};
use super::copies::{Call, End, Hook, Snapshot};
use crate::body::Payload;
use crate::exchange::State;
use crate::stage::{Place, Stage};
use http::HeaderName;
use http::header::AUTHORIZATION;
use plugin_interface::host::abi_stable::std_types::{RErr, ROk};
use plugin_interface::host::{AuthenticatorObject, MiddlewareObject, RawStep, RawVerdict};
use plugin_interface::{Body, Error, ErrorKind, Exchange, Failure, Route};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Calls the candidate as what is in use was called, and compares.
pub(super) async fn replay(
    candidate: &Stage,
    ignored: &[HeaderName],
    calls: Vec<Call>,
) -> Comparison {
    let mut all = Comparison::default();
    let mut passage = Passage { candidate, passed: 0, earlier: None };
    for Call { hook, before, after } in calls {
        let Some((end, left)) = after else { continue };
        if !passage.sees(&hook) {
            continue;
        }
        let unread = Arc::new(AtomicBool::new(false));
        let mut state = before.state.copy();
        state.body = match &before.content {
            Content::Whole(bytes) if bytes.is_empty() => Payload::Empty,
            Content::Whole(bytes) => Payload::Plugin(Body::from_owner(bytes.clone())),
            _ => Payload::Plugin(Body::new(Absent(unread.clone()))),
        };
        let own_end = passage.call(&hook, &mut state).await;
        let decided_blindly = unread.load(Ordering::Relaxed);
        let content = match state.body_changes == before.state.body_changes {
            true => before.content.clone(),
            false => Content::read(std::mem::take(&mut state.body)).await,
        };
        let content = if unread.load(Ordering::Relaxed) { Content::Unknown } else { content };
        let mut own = Snapshot { state, content };
        if decided_blindly {
            all.unknown = true;
        } else {
            let mut in_use = left;
            if candidate.place == Place::Authenticator {
                // The host takes them away behind an authenticator.
                in_use.state.request.headers.remove(AUTHORIZATION);
                own.state.request.headers.remove(AUTHORIZATION);
            }
            let ours = Outcome { end: &end, left: &in_use };
            let theirs = Outcome { end: &own_end, left: &own };
            compare(&hook, ignored, &before, &ours, &theirs, &mut all);
        }
        // On the way back it has a place only if it did with the request what is in use did.
        let alike = own_end == end && matches!(end, End::Next | End::Answered);
        passage.earlier = (alike && !decided_blindly).then_some(own.state);
    }
    all
}

/// A request's way through the candidate and back.
struct Passage<'a> {
    candidate: &'a Stage,
    /// So many of its middlewares have let the request pass.
    passed: usize,
    /// What the candidate has left of the call before.
    earlier: Option<State>,
}

impl Passage<'_> {
    fn sees(&self, hook: &Hook) -> bool {
        !matches!(hook, Hook::Response) || self.earlier.is_some()
    }

    async fn call(&mut self, hook: &Hook, state: &mut State) -> End {
        let offers = &self.candidate.plugin.offers;
        match hook {
            Hook::Request => self.request(state).await,
            Hook::Response => self.response(state).await,
            Hook::Rewrite { target, prefix } => {
                let Some(patch) = &offers.reverse_proxy else { return End::Next };
                let route = Route::new(target, prefix);
                let mut step = patch.rewrite(Exchange::new(state), route);
                if let RawStep::Defer = step {
                    step = patch.rewrite_async(Exchange::new(state), route).await;
                }
                end_of(state, step)
            }
            Hook::Page { status, reason } => {
                let Some(page) = &offers.error_page else { return End::Next };
                match page.render(Exchange::new(state), Failure::new(*status, reason)) {
                    ROk(answer) => end_of(state, RawStep::Respond(answer)),
                    RErr(error) => failed(&error),
                }
            }
        }
    }

    async fn request(&mut self, state: &mut State) -> End {
        let offers = &self.candidate.plugin.offers;
        let mut end = End::Next;
        for (_, authenticator) in &offers.authenticators {
            if state.identity.is_some() {
                break;
            }
            end = authenticate(authenticator, state).await;
            match end {
                // In front of the gate the next one is asked.
                End::Unauthenticated(_) if self.candidate.place == Place::Pre => end = End::Next,
                End::Next => {}
                _ => return end,
            }
        }
        if self.candidate.place == Place::Authenticator {
            return end;
        }
        for (_, middleware) in &offers.middlewares {
            state.current = self.passed;
            let end = on_request(middleware, state).await;
            if end != End::Next {
                return end;
            }
            self.passed += 1;
        }
        End::Next
    }

    async fn response(&mut self, state: &mut State) -> End {
        if let Some(earlier) = &mut self.earlier {
            state.take_slots(earlier);
        }
        let middlewares = &self.candidate.plugin.offers.middlewares;
        for (index, (_, middleware)) in middlewares[..self.passed].iter().enumerate().rev() {
            state.current = index;
            let mut step = middleware.on_response(Exchange::new(state));
            if let RawStep::Defer = step {
                step = middleware.on_response_async(Exchange::new(state)).await;
            }
            match end_of(state, step) {
                End::Next | End::Answered => {} // an answer takes the place of the response
                end => return end,
            }
        }
        End::Next
    }
}

async fn on_request(middleware: &MiddlewareObject, state: &mut State) -> End {
    let mut step = middleware.on_request(Exchange::new(state));
    if let RawStep::Defer = step {
        step = middleware.on_request_async(Exchange::new(state)).await;
    }
    end_of(state, step)
}

async fn authenticate(authenticator: &AuthenticatorObject, state: &mut State) -> End {
    let mut verdict = authenticator.authenticate(Exchange::new(state));
    if let RawVerdict::Defer = verdict {
        verdict = authenticator.authenticate_async(Exchange::new(state)).await;
    }
    match verdict {
        RawVerdict::Accept(user) if user.is_empty() => End::Failed,
        RawVerdict::Accept(user) => {
            state.identity = Some(user.into());
            End::Next
        }
        RawVerdict::Abstain => End::Unauthenticated(Arc::from(&*authenticator.challenge())),
        RawVerdict::Reject(response) => end_of(state, RawStep::Respond(response)),
        RawVerdict::Defer => end_of(state, RawStep::Defer),
        RawVerdict::Fail(error) => failed(&error),
    }
}

fn end_of(state: &mut State, step: RawStep) -> End {
    match step {
        RawStep::Next => End::Next,
        RawStep::Respond(answer) => match state.respond(answer) {
            Ok(()) => End::Answered,
            Err(error) => failed(&error),
        },
        RawStep::Defer => End::Failed, // an asynchronous hook that defers again
        RawStep::Fail(error) => failed(&error),
    }
}

fn failed(error: &Error) -> End {
    if error.kind() == ErrorKind::PANICKED { End::Panicked } else { End::Failed }
}
