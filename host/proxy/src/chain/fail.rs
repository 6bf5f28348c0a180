//! What a failure becomes: the response, the log and the metrics.

use super::{Links, Part};
use crate::builtin::error_page::page;
use crate::exchange::State;
use crate::failure::Failure;
use crate::shadow::copies;
use crate::span::under;
use crate::stage::{Admission, Decision};
use http::HeaderValue;
use http::header::{CONNECTION, WWW_AUTHENTICATE};
use plugin_interface::host::abi_stable::std_types::{RErr, ROk};
use plugin_interface::{ErrorKind, Exchange};

impl Links {
    /// Answers for a failure: the one place that does. The client sees the status, the log the
    /// reason.
    pub(crate) fn fail(&self, state: &mut State, failure: Failure) {
        let status = failure.status();
        under(|| match failure.is_routine() {
            true => tracing::debug!(status = status.as_u16(), "{failure}"),
            false => tracing::error!(status = status.as_u16(), "{failure}"),
        });
        match &failure {
            Failure::Plugin { plugin, error } => {
                self.metrics.count_failure(plugin, error.kind() == ErrorKind::PANICKED);
            }
            Failure::Overdue { plugin, .. } => self.metrics.count_failure(plugin, false),
            _ => {}
        }
        let reason = match &failure {
            // The one reason that is for the client to know.
            Failure::Locked { message, .. } if !message.is_empty() => message,
            _ => status.canonical_reason().unwrap_or("Error"),
        };
        let shown = plugin_interface::Failure::new(status.as_u16(), reason);
        state.current = self.links.len();
        state.response = None; // a page sees the request, not a response that has failed
        if !self.render(state, shown) {
            let _ = state.respond(page(shown)); // cannot fail: the status is one of ours
        }
        let Some(response) = &mut state.response else { return };
        response.status = status;
        if failure.closes() {
            response.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Failure::Unauthenticated { challenges } = failure {
            response.headers.remove(WWW_AUTHENTICATE);
            for challenge in challenges {
                let _ = response.headers.try_append(WWW_AUTHENTICATE, challenge);
            }
        }
    }

    /// Lets the error page answer; says whether it has.
    fn render(&self, state: &mut State, shown: plugin_interface::Failure<'_>) -> bool {
        let Part { name, stage, object } = &self.error_page;
        state.progress.resume(); // the upstream may have taken its time to fail
        copies::shows(state, shown);
        let Admission::Call(call) = stage.admit(&mut state.progress) else { return false };
        let rendered = match object.render(Exchange::new(state), shown) {
            ROk(answer) => state.respond(answer),
            RErr(error) => Err(error),
        };
        copies::has_shown(state, rendered.as_ref().err().map(plugin_interface::Error::kind));
        let Err(error) = rendered else {
            call.decided(&mut state.progress, Decision::Respond);
            return true;
        };
        call.failed(&mut state.progress, &error, true);
        under(|| tracing::error!("{name} failed, the built-in page is sent: {error}"));
        self.metrics.count_failure(name, error.kind() == ErrorKind::PANICKED);
        false
    }
}
