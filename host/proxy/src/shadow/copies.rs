//! What is copied of a request on its way: before and after what shadows are compared with.

use super::Shadow;
use super::content::Content;
use crate::exchange::State;
use crate::failure::Failure;
use crate::stage::Place;
use http::{Method, Uri};
use plugin_interface::{ErrorKind, Route};
use std::sync::Arc;
use std::time::SystemTime;

/// A shadow in its place in a chain.
pub(crate) struct Watch {
    pub(crate) shadow: Arc<Shadow>,
    /// The links that it is compared with, from here …
    pub(crate) first: usize,
    /// … to before here. Where nothing is in use the two are one.
    pub(crate) last: usize,
    /// How the authenticator in use asks for credentials.
    pub(crate) challenge: Arc<str>,
}

/// The copies of one request, for all shadows.
pub(crate) struct Copies {
    time: SystemTime,
    method: Method,
    target: Uri,
    taken: Vec<Taken>,
}

/// The copies for one shadow.
struct Taken {
    shadow: Arc<Shadow>,
    first: usize,
    last: usize,
    challenge: Arc<str>,
    calls: Vec<Call>,
}

/// A request that a shadow has to see, with what became of it.
pub(super) struct Case {
    pub(super) time: SystemTime,
    pub(super) method: Method,
    pub(super) target: Uri,
    pub(super) calls: Vec<Call>,
}

/// One call of what is in use.
pub(super) struct Call {
    pub(super) hook: Hook,
    pub(super) before: Snapshot,
    /// None while it lasts.
    pub(super) after: Option<(End, Snapshot)>,
}

/// What is called.
pub(super) enum Hook {
    Request,
    Response,
    Rewrite { target: String, prefix: String },
    Page { status: u16, reason: String },
}

/// An exchange at one moment.
pub(super) struct Snapshot {
    pub(super) state: State,
    pub(super) content: Content,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The exchange goes on.
    Next,
    /// There is an answer.
    Answered,
    /// The client is asked for credentials, in these words.
    Unauthenticated(Arc<str>),
    /// It failed.
    Failed,
    /// It panicked.
    Panicked,
}

impl Snapshot {
    fn of(state: &mut State) -> Self {
        Self { state: state.copy(), content: Content::peek(&mut state.body) }
    }
}

impl Taken {
    fn before(&mut self, hook: Hook, state: &mut State) {
        self.calls.push(Call { hook, before: Snapshot::of(state), after: None });
    }

    fn after(&mut self, end: End, state: &mut State) {
        let Some(call) = self.calls.last_mut().filter(|call| call.after.is_none()) else { return };
        let same_body = call.before.state.body_changes == state.body_changes;
        let content = match same_body {
            true => call.before.content.clone(),
            false => Content::peek(&mut state.body),
        };
        call.after = Some((end, Snapshot { state: state.copy(), content }));
    }

    /// What is in use was not asked after all, or not only what is in use has decided.
    fn forget(&mut self) {
        self.calls.pop_if(|call| call.after.is_none());
    }

    fn failed(&mut self, failure: &Failure, state: &mut State) {
        match failure {
            Failure::Plugin { error, .. } if error.kind() == ErrorKind::PANICKED => {
                self.after(End::Panicked, state);
            }
            Failure::Plugin { .. } | Failure::Overdue { .. } => self.after(End::Failed, state),
            Failure::Unauthenticated { .. } => {
                self.after(End::Unauthenticated(self.challenge.clone()), state);
            }
            _ => self.forget(),
        }
    }
}

/// The copies of a request that is about to begin, if it is one that a shadow is to see.
pub(crate) fn begin(watches: &[Watch], state: &mut State) {
    let wanted = watches.iter().filter(|watch| watch.shadow.wants_another());
    let taken: Vec<Taken> = wanted
        .map(|watch| Taken {
            shadow: watch.shadow.clone(),
            first: watch.first,
            last: watch.last,
            challenge: watch.challenge.clone(),
            calls: Vec::new(),
        })
        .collect();
    if !taken.is_empty() {
        let (method, target) = (state.request.method.clone(), state.request.uri.clone());
        state.copies = Some(Box::new(Copies { time: SystemTime::now(), method, target, taken }));
    }
}

/// A request goes on to the link of this number.
#[inline]
pub(crate) fn reaches(state: &mut State, index: usize) {
    each(state, |taken, state| {
        let place = taken.shadow.place();
        // Once it is known who it is from, no authenticator of that place is asked.
        let asked = place != Place::Authenticator || state.identity.is_none();
        if taken.first == index && asked && is_linked(place) {
            taken.before(Hook::Request, state);
        }
        if taken.last == index {
            taken.after(End::Next, state);
        }
    });
}

/// What was called last has answered, or failed.
#[inline]
pub(crate) fn stops(state: &mut State, failure: Option<&Failure>) {
    each(state, |taken, state| match failure {
        Some(failure) => taken.failed(failure, state),
        None => taken.after(End::Answered, state),
    });
}

/// What is in use was not called, or is bypassed: there is nothing to compare with.
pub(crate) fn goes_without(state: &mut State) {
    each(state, |taken, _| taken.forget());
}

/// A response that comes from the link of this number, or from behind it, goes on to the one before.
/// So many links have let the request pass.
#[inline]
pub(crate) fn returns(state: &mut State, index: usize, passed: usize) {
    each(state, |taken, state| {
        let begins = match taken.first == taken.last {
            true => index == taken.first,
            false => index == taken.last.min(passed) && index > taken.first,
        };
        if begins && matches!(taken.shadow.place(), Place::Pre | Place::Post) {
            taken.before(Hook::Response, state);
        }
        if index == taken.first {
            taken.after(End::Next, state);
        }
    });
}

/// The reverse proxy is about to be asked.
#[inline]
pub(crate) fn rewrites(state: &mut State, route: Route<'_>) {
    each(state, |taken, state| {
        if taken.shadow.place() == Place::ReverseProxy {
            let (target, prefix) = (route.target().to_owned(), route.prefix().to_owned());
            taken.before(Hook::Rewrite { target, prefix }, state);
        }
    });
}

/// The reverse proxy lets the request go upstream.
#[inline]
pub(crate) fn goes_upstream(state: &mut State) {
    each(state, |taken, state| {
        if taken.shadow.place() == Place::ReverseProxy {
            taken.after(End::Next, state);
        }
    });
}

/// The error page is about to be asked.
pub(crate) fn shows(state: &mut State, failure: plugin_interface::Failure<'_>) {
    each(state, |taken, state| {
        if taken.shadow.place() == Place::ErrorPage {
            let (status, reason) = (failure.status(), failure.reason().to_owned());
            taken.before(Hook::Page { status, reason }, state);
        }
    });
}

/// The error page has answered, or failed.
pub(crate) fn has_shown(state: &mut State, failure: Option<ErrorKind>) {
    let end = match failure {
        None => End::Answered,
        Some(kind) if kind == ErrorKind::PANICKED => End::Panicked,
        Some(_) => End::Failed,
    };
    each(state, |taken, state| {
        if taken.shadow.place() == Place::ErrorPage {
            taken.after(end.clone(), state);
        }
    });
}

/// The head of the response is ready: the shadows may now see what was copied.
#[inline]
pub(crate) fn compare(state: &mut State) {
    let Some(copies) = state.copies.take() else { return };
    let Copies { time, method, target, taken } = *copies;
    for Taken { shadow, mut calls, .. } in taken {
        calls.retain(|call| call.after.is_some());
        if !calls.is_empty() {
            let (method, target) = (method.clone(), target.clone());
            shadow.compare(Case { time, method, target, calls });
        }
    }
}

fn is_linked(place: Place) -> bool {
    matches!(place, Place::Pre | Place::Authenticator | Place::Post)
}

#[inline]
fn each(state: &mut State, watch: impl FnMut(&mut Taken, &mut State)) {
    if state.copies.is_some() {
        each_of_some(state, watch);
    }
}

fn each_of_some(state: &mut State, mut watch: impl FnMut(&mut Taken, &mut State)) {
    let Some(mut copies) = state.copies.take() else { return };
    for taken in &mut copies.taken {
        watch(taken, state);
    }
    state.copies = Some(copies);
}
