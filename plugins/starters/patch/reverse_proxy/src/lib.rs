//! Patch of the point `reverse_proxy`: takes `--prefix` off the path, which the built-in does not,
//! and sends some paths to other upstreams than `--target`.

use plugin_interface::{
    Error, Exchange, HostServices, Registrar, Result, ReverseProxy, Route, Step, tracing,
};
use serde::Deserialize;
use std::collections::BTreeMap;

plugin_interface::export_plugin!(register);

/// Called when the host starts, with `config` of `[patches.reverse_proxy]` in its file.
fn register(registrar: &mut Registrar<'_>, _: HostServices, config: &str) -> Result<()> {
    let config: Config = match config.trim() {
        "" => Config::default(),
        text => serde_json::from_str(text)?,
    };
    if let Some(path) = config.routes.keys().find(|path| !path.starts_with('/')) {
        return Err(Error::new(format_args!("\"routes\": {path:?} does not begin with a slash")));
    }
    registrar.reverse_proxy(Router { config });
    Ok(())
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Paths, without the prefix, and where requests below them go: an origin, as in
    /// `http://127.0.0.1:8082`.
    routes: BTreeMap<String, String>,
}

struct Router {
    config: Config,
}

impl ReverseProxy for Router {
    fn rewrite(&self, exchange: &mut Exchange<'_>, route: Route<'_>) -> Result<Step> {
        let path = below(exchange.path(), route.prefix()).unwrap_or(exchange.path());
        // The longest comes last among those that match.
        let routes = self.config.routes.iter();
        let upstream = routes.rev().find(|(start, _)| below(path, start).is_some());
        let target = match exchange.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        if target.starts_with('/') {
            exchange.set_target(&target)?; // `*`, of OPTIONS, stays what it is
        }
        if let Some((start, upstream)) = upstream {
            tracing::debug!(start, upstream, "routed");
            exchange.set_upstream(upstream)?;
        }
        Ok(Step::Next)
    }
}

/// What is left of a path below another, which ends where a segment ends: `/apis` is not below
/// `/api`. Nothing is decoded: `%2F` in a segment is not a slash between two.
fn below<'a>(path: &'a str, start: &str) -> Option<&'a str> {
    match path.strip_prefix(start.trim_end_matches('/'))? {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}

#[cfg(test)]
mod tests;
