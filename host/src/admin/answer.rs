//! Answers: what there is to show, and why something was not done.

use super::page::File;
use crate::operator::{Declined, Reason};
use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// No newer answer is made of an older one, and nothing here is for other pages or guessed at. The
/// policy is for the page; for everything else it is the safest there is.
const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
        ),
    ),
];

/// Something to show.
pub(super) struct Answer {
    status: StatusCode,
    kind: HeaderValue,
    body: Bytes,
}

impl Answer {
    pub(super) fn text(status: StatusCode, text: &str) -> Self {
        Self { status, kind: TEXT, body: Bytes::copy_from_slice(text.as_bytes()) }
    }

    pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // Fails only for maps whose keys are no text, of which there are none.
        let body = serde_json::to_vec(value).unwrap_or_default().into();
        Self { status, kind: JSON, body }
    }

    pub(super) fn openapi(text: &'static str) -> Self {
        Self { status: StatusCode::OK, kind: JSON, body: Bytes::from_static(text.as_bytes()) }
    }

    pub(super) fn metrics(text: String) -> Self {
        Self { status: StatusCode::OK, kind: OPENMETRICS, body: text.into() }
    }

    pub(super) fn file(file: &'static File) -> Self {
        let kind = HeaderValue::from_static(file.kind);
        Self { status: StatusCode::OK, kind, body: Bytes::from_static(file.text.as_bytes()) }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.kind);
        for (name, value) in ALWAYS {
            headers.insert(name, value);
        }
        response
    }
}

/// Why a request was not answered as it wished.
pub(super) struct Refusal {
    status: StatusCode,
    error: String,
    header: Option<(HeaderName, HeaderValue)>,
}

/// A refusal's body.
#[derive(Serialize)]
struct Error<'a> {
    error: &'a str,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), header: None }
    }

    pub(super) fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub(super) fn not_found(path: &str) -> Self {
        let what = format!("there is no {path} here; /api/openapi.json says what there is");
        Self::new(StatusCode::NOT_FOUND, what)
    }

    pub(super) fn forbidden(error: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, error)
    }

    pub(super) fn internal(error: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    }

    pub(super) fn method(allowed: &'static str) -> Self {
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("use {allowed}"));
        refusal.with(ALLOW, HeaderValue::from_static(allowed))
    }

    /// `challenge` is for WWW-Authenticate (RFC 6750, section 3).
    pub(super) fn unauthorized(error: &str, challenge: &'static str) -> Self {
        let refusal = Self::new(StatusCode::UNAUTHORIZED, error);
        refusal.with(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Answer::json(self.status, &Error { error: &self.error }).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<Declined> for Refusal {
    fn from(declined: Declined) -> Self {
        let status = match declined.reason {
            Reason::NotFound => StatusCode::NOT_FOUND,
            Reason::Conflict => StatusCode::CONFLICT,
            Reason::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, declined.message)
    }
}
