//! Patch of the point `error_page`: HTML for browsers, JSON for programs, text for the rest.
//!
//! A page has the status and its reason, and nothing else: what went wrong is in the log.

mod accept;

use accept::Form;
use plugin_interface::{
    Body, Error, ErrorPage, Exchange, Failure, HostServices, Registrar, Response, Result,
};

plugin_interface::export_plugin!(register);

fn register(registrar: &mut Registrar<'_>, _: HostServices, config: &str) -> Result<()> {
    if !matches!(config.trim(), "" | "{}") {
        return Err(Error::new("this patch takes no configuration; remove it"));
    }
    registrar.error_page(Pages);
    Ok(())
}

struct Pages;

impl ErrorPage for Pages {
    fn render(&self, exchange: &Exchange<'_>, failure: Failure<'_>) -> Result<Response> {
        let form = accept::preferred(exchange.request_header("accept").unwrap_or_default());
        let page = page(form, failure.status(), failure.reason());
        Ok(Response::new(failure.status())
            .header("content-type", content_type(form))
            .header("vary", "accept") // RFC 9110, section 12.5.5
            .body(Body::from_owner(page)))
    }
}

fn content_type(form: Form) -> &'static str {
    match form {
        Form::Html => "text/html; charset=utf-8",
        Form::Problem => "application/problem+json",
        Form::Text => "text/plain; charset=utf-8",
    }
}

fn page(form: Form, status: u16, reason: &str) -> String {
    match form {
        Form::Html => {
            let title = format!("{status} {}", escape(reason));
            format!(
                "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
                 <title>{title}</title>\n<h1>{title}</h1>\n</html>\n"
            )
        }
        // No `type` is `about:blank`, and then the title is the status in words (RFC 9457, section
        // 4.2.1).
        Form::Problem => {
            format!("{}\n", serde_json::json!({ "title": reason, "status": status }))
        }
        Form::Text => format!("{status} {reason}\n"),
    }
}

/// Text for between two tags.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{Form, page};

    #[test]
    fn a_page_has_status_and_reason_and_nothing_else() {
        assert_eq!(page(Form::Text, 502, "Bad Gateway"), "502 Bad Gateway\n");
        assert_eq!(
            page(Form::Problem, 502, "Bad Gateway"),
            "{\"status\":502,\"title\":\"Bad Gateway\"}\n"
        );
        assert_eq!(
            page(Form::Html, 502, "Bad Gateway"),
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <title>502 Bad Gateway</title>\n<h1>502 Bad Gateway</h1>\n</html>\n"
        );
    }

    #[test]
    fn a_reason_cannot_leave_its_place() {
        let reason = "</title><script>alert(1)</script> & \"more\"";
        let html = page(Form::Html, 500, reason);
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;alert(1)"), "{html}");
        assert!(html.contains("&amp; \"more\""), "{html}");
        let problem: serde_json::Value =
            serde_json::from_str(&page(Form::Problem, 500, reason)).unwrap();
        assert_eq!(problem["title"], reason);
    }
}
