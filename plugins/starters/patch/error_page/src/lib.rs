//! Patch of the point `error_page`: a page for people, which says whom to ask.

use plugin_interface::{
    Body, ErrorPage, Exchange, Failure, HostServices, Registrar, Response, Result,
};
use serde::Deserialize;

plugin_interface::export_plugin!(register);

/// Called when the host starts, with `config` of `[patches.error_page]` in its file.
fn register(registrar: &mut Registrar<'_>, _: HostServices, config: &str) -> Result<()> {
    let config: Config = match config.trim() {
        "" => Config::default(),
        text => serde_json::from_str(text)?,
    };
    registrar.error_page(Page { config });
    Ok(())
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Whom to ask for help.
    contact: Option<String>,
}

struct Page {
    config: Config,
}

impl ErrorPage for Page {
    fn render(&self, exchange: &Exchange<'_>, failure: Failure<'_>) -> Result<Response> {
        let title = format!("{} {}", failure.status(), escape(failure.reason()));
        let mut page = format!("<!doctype html>\n<title>{title}</title>\n<h1>{title}</h1>\n");
        page.push_str(&format!("<p>This was <code>{}</code>.\n", escape(exchange.path())));
        if let Some(contact) = &self.config.contact {
            page.push_str(&format!("<p>For help, ask {}.\n", escape(contact)));
        }
        let response = Response::new(failure.status());
        Ok(response.header("content-type", "text/html; charset=utf-8").body(Body::from_owner(page)))
    }
}

/// Text for between two tags.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
