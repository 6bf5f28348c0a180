//! Middleware: rewrites the headers and, as it streams by, the body of a response.

mod body;
mod config;
mod replacer;

use body::Rewritten;
use config::Config;
use plugin_interface::{
    Body, Exchange, HostServices, Middleware, Registrar, Result, Step, tracing,
};

plugin_interface::export_plugin!(register);

fn register(registrar: &mut Registrar<'_>, _: HostServices, config: &str) -> Result<()> {
    registrar.middleware("transform", Transform { config: Config::parse(config)? });
    Ok(())
}

struct Transform {
    config: Config,
}

impl Middleware for Transform {
    fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        if !self.config.rules.is_empty() {
            // There is nothing to find in a compressed body. Without the header any coding would
            // be acceptable (RFC 9110, section 12.5.3), hence `identity`.
            exchange.set_header("accept-encoding", "identity")?;
        }
        Ok(Step::Next)
    }

    fn on_response(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        if self.rewrites_body(exchange) {
            let body = exchange.take_body();
            exchange.set_body(Body::new(Rewritten::new(body, self.config.rules.clone())));
            for name in OF_THE_OLD_BYTES {
                exchange.remove_header(name);
            }
        }
        for name in &self.config.remove_headers {
            exchange.remove_header(name.as_str());
        }
        for (name, value) in &self.config.set_headers {
            exchange.set_header(name.as_str(), value)?;
        }
        Ok(Step::Next)
    }
}

/// What says something of the bytes as the upstream sent them: validators, digests (RFC 9530) and
/// that ranges of them can be had.
const OF_THE_OLD_BYTES: [&str; 6] =
    ["accept-ranges", "content-digest", "content-md5", "digest", "etag", "repr-digest"];

impl Transform {
    fn rewrites_body(&self, exchange: &Exchange<'_>) -> bool {
        // The answer to HEAD counts as one with a body: its headers are those that GET would get (RFC
        // 9110, section 9.3.2).
        let status = exchange.status();
        let has_body = !matches!(status, ..200 | 204 | 304);
        let content_type = exchange.header_str("content-type").unwrap_or_default();
        if self.config.rules.is_empty() || !has_body || !self.config.rewrites(content_type) {
            return false;
        }
        if let Some(coding) = exchange.header_str("content-encoding") {
            tracing::debug!(coding, "the body is encoded and stays as it is");
            return false;
        }
        if status == 206 {
            // Its range counts bytes of the whole as it is at the upstream.
            tracing::debug!("the body is a part of the whole and stays as it is");
            return false;
        }
        true
    }
}
