//! What two made of one request, and in what they differ.

use super::content::Content;
use super::copies::{End, Hook, Snapshot};
use crate::exchange::State;
use http::Uri;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Texts in a report have at most so many characters.
const LONGEST: usize = 80;

/// Something that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What it is, as reports count it: `header x-a`.
    pub(super) kind: String,
    /// With what was found, in use / candidate: `header x-a: "1" / none`.
    pub(super) text: String,
}

/// What came of a comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) found: Vec<Found>,
    /// Something could not be compared.
    pub(super) unknown: bool,
}

impl Comparison {
    pub(super) fn add(&mut self, kind: impl Into<String>, text: impl AsRef<str>) {
        let kind = kind.into();
        let text = format!("{kind}: {}", text.as_ref());
        self.found.push(Found { kind, text });
    }

    fn both(&mut self, kind: &str, in_use: Option<&str>, candidate: Option<&str>) {
        let shown = |value: Option<&str>| match value {
            None => "none".to_owned(),
            Some(text) => shortened(&format!("{text:?}")),
        };
        self.add(kind, format!("{} / {}", shown(in_use), shown(candidate)));
    }
}

/// How a call ended, and what it left.
pub(super) struct Outcome<'a> {
    pub(super) end: &'a End,
    pub(super) left: &'a Snapshot,
}

/// Compares what is in use with the candidate, after a call that began from `before`.
pub(super) fn compare(
    hook: &Hook,
    ignored: &[HeaderName],
    before: &Snapshot,
    in_use: &Outcome<'_>,
    candidate: &Outcome<'_>,
    all: &mut Comparison,
) {
    if in_use.end != candidate.end || *candidate.end == End::Panicked {
        let ends = format!("{} / {}", words(in_use), words(candidate));
        match candidate.end {
            End::Panicked => all.add("panic", ends),
            End::Failed => all.add("error", ends),
            _ => all.add("decision", ends),
        }
        return;
    }
    let (ours, theirs) = (&in_use.left.state, &candidate.left.state);
    match in_use.end {
        End::Failed | End::Panicked | End::Unauthenticated(_) => return,
        End::Next | End::Answered => {}
    }
    if ours.values != theirs.values {
        values(ours, theirs, all);
    }
    match (&ours.response, &theirs.response) {
        (Some(ours), Some(theirs)) => {
            // The host keeps the status of a failure, whatever the page says.
            if ours.status != theirs.status && !matches!(hook, Hook::Page { .. }) {
                all.add("status", format!("{} / {}", ours.status.as_u16(), theirs.status.as_u16()));
            }
            headers(&ours.headers, &theirs.headers, ignored, all);
        }
        _ => request(ours, theirs, ignored, all),
    }
    body(before, in_use.left, candidate.left, all);
}

fn request(ours: &State, theirs: &State, ignored: &[HeaderName], all: &mut Comparison) {
    if ours.identity != theirs.identity {
        all.both("identity", ours.identity.as_deref(), theirs.identity.as_deref());
    }
    if ours.request.method != theirs.request.method {
        all.add("method", format!("{} / {}", ours.request.method, theirs.request.method));
    }
    if ours.upstream != theirs.upstream {
        let [one, other] = [ours, theirs].map(|it| it.upstream.as_ref().map(Uri::to_string));
        all.both("upstream", one.as_deref(), other.as_deref());
    }
    let (one, other) = (&ours.request.uri, &theirs.request.uri);
    if one.path() != other.path() {
        all.both("path", Some(one.path()), Some(other.path()));
    }
    if one.query() != other.query() {
        all.add("query", "it differs (not shown)"); // the client's, who may keep secrets there
    }
    headers(&ours.request.headers, &theirs.request.headers, ignored, all);
}

/// Names that differ in case are one; the order of headers of different names means nothing (RFC
/// 9110, section 5.3).
fn headers(ours: &HeaderMap, theirs: &HeaderMap, ignored: &[HeaderName], all: &mut Comparison) {
    let names: BTreeSet<&str> = ours.keys().chain(theirs.keys()).map(HeaderName::as_str).collect();
    for name in names {
        let of = |headers: &'_ HeaderMap| -> Vec<HeaderValue> {
            headers.get_all(name).iter().cloned().collect()
        };
        let (one, other) = (of(ours), of(theirs));
        let values_count = !ignored.iter().any(|ignored| ignored.as_str() == name);
        if one.is_empty() == other.is_empty() && (one == other || !values_count) {
            continue;
        }
        let secret = is_secret(name) || one.iter().chain(&other).any(HeaderValue::is_sensitive);
        let text = format!("{} / {}", shown(&one, secret), shown(&other, secret));
        all.add(format!("header {name}"), text);
    }
}

fn values(ours: &State, theirs: &State, all: &mut Comparison) {
    let keys: BTreeSet<&str> =
        ours.values.iter().chain(&theirs.values).map(|(key, _)| key.as_str()).collect();
    for key in keys {
        let of = |state: &State| {
            let found = state.values.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.clone())
        };
        let (one, other) = (of(ours), of(theirs));
        if one == other {
            continue;
        }
        let shown = |value: Option<String>| match value {
            None => "none".to_owned(),
            Some(_) if is_secret(key) => "(not shown)".to_owned(),
            Some(value) => shortened(&format!("{value:?}")),
        };
        let text = format!("{} / {}", shown(one), shown(other));
        all.add(format!("value {}", shortened(key)), text);
    }
}

fn body(before: &Snapshot, ours: &Snapshot, theirs: &Snapshot, all: &mut Comparison) {
    let taken = |after: &Snapshot| after.state.body_changes != before.state.body_changes;
    if !taken(ours) && !taken(theirs) {
        return;
    }
    match (&ours.content, &theirs.content) {
        (Content::Whole(one), Content::Whole(other)) if one == other => {}
        (Content::Whole(one), Content::Whole(other)) => {
            let alike = if one.len() == other.len() { ", not the same" } else { "" };
            all.add("body", format!("{} bytes / {} bytes{alike}", one.len(), other.len()));
        }
        (Content::Whole(one), Content::Failed) => {
            all.add("body", format!("{} bytes / it breaks off", one.len()));
        }
        _ => all.unknown = true,
    }
}

fn words(outcome: &Outcome<'_>) -> String {
    match outcome.end {
        End::Next => "goes on".to_owned(),
        End::Answered => {
            let status = outcome.left.state.response.as_ref().map(|it| it.status.as_u16());
            format!("answers {}", status.unwrap_or_default())
        }
        End::Unauthenticated(challenge) if challenge.is_empty() => "knows nobody".to_owned(),
        End::Unauthenticated(challenge) => format!("asks for {}", shortened(challenge)),
        End::Failed => "fails".to_owned(),
        End::Panicked => "panics".to_owned(),
    }
}

/// What a report is no place for.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let whole = ["cookie", "set-cookie", "proxy-authenticate", "proxy-authorization"];
    let parts = ["token", "secret", "password", "api-key", "apikey", "session", "credential"];
    name == AUTHORIZATION.as_str()
        || whole.contains(&name.as_str())
        || parts.iter().any(|part| name.contains(part))
}

fn shown(values: &[HeaderValue], secret: bool) -> String {
    match values {
        [] => "none".to_owned(),
        _ if secret => "(not shown)".to_owned(),
        values => {
            let mut text = String::new();
            for value in values {
                let _ = write!(text, "{}{value:?}", if text.is_empty() { "" } else { ", " });
            }
            shortened(&text)
        }
    }
}

/// Texts come from clients and plugins: what would move a cursor is escaped already by `Debug`.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
