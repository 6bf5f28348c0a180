//! POST middleware: asks a service whether the user may make this request.
//!
//! The service gets a `GET` with the headers `X-User`, `X-Method` and `X-Path`. What it answers with
//! 2xx passes, a 403 is handed on, and anything else fails the request: nobody gets in because the
//! service is down.

use plugin_interface::{
    Error, Exchange, HostServices, Middleware, Registrar, Request, Response, Result, Step, tracing,
};
use serde::Deserialize;
use std::time::Duration;

plugin_interface::export_plugin!(register);

/// Called once for each place that the plugin is used in, with that place's configuration.
fn register(registrar: &mut Registrar<'_>, host: HostServices, config: &str) -> Result<()> {
    if config.trim().is_empty() {
        return Err(Error::new("it needs {\"url\": \"http://…\"}: whom to ask"));
    }
    let config = serde_json::from_str(config)?;
    registrar.middleware("ask", Ask { config, host });
    Ok(())
}

/// What is written behind the plugin's path: `--post-plugin FILE={"url": "http://…"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The service.
    url: String,
    /// The milliseconds until it must have answered.
    #[serde(default = "second")]
    timeout: u64,
}

fn second() -> u64 {
    1000
}

struct Ask {
    config: Config,
    host: HostServices,
}

impl Middleware for Ask {
    fn on_request(&self, _: &mut Exchange<'_>) -> Result<Step> {
        Ok(Step::Defer) // a call must not wait: what does is below
    }

    async fn on_request_async(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        let request = Request::get(&self.config.url)
            .header("x-user", exchange.identity().unwrap_or_default())
            .header("x-method", exchange.method())
            .header("x-path", exchange.path())
            .timeout(Duration::from_millis(self.config.timeout));
        let answer = self.host.http(request).await.map_err(|error| error.context("asking"))?;
        match answer.status() {
            200..300 => Ok(Step::Next),
            403 => {
                tracing::info!(user = exchange.identity(), path = exchange.path(), "may not");
                Ok(Step::Respond(Response::text(403, "you may not do this\n")))
            }
            status => Err(Error::new(format_args!("asking: the service answered {status}"))),
        }
    }
}

#[cfg(test)]
mod tests;
