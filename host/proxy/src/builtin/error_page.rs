//! The built-in `error_page`.

use plugin_interface::{ErrorPage, Exchange, Failure, Response, Result};

/// One line of text: `502 Bad Gateway`.
pub(crate) struct PlainText;

impl ErrorPage for PlainText {
    fn render(&self, _: &Exchange<'_>, failure: Failure<'_>) -> Result<Response> {
        Ok(page(failure))
    }
}

/// The page itself, also for when a patch fails to make one.
pub(crate) fn page(failure: Failure<'_>) -> Response {
    Response::text(failure.status(), format!("{} {}\n", failure.status(), failure.reason()))
}
