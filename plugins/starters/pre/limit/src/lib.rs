//! PRE middleware: so many requests from an address within so many seconds, and a 429 beyond.

use plugin_interface::{
    Error, Exchange, HostServices, Middleware, Registrar, Response, Result, Step, tracing,
};
use serde::Deserialize;
use std::time::Duration;

plugin_interface::export_plugin!(register);

/// Called once for each place that the plugin is used in, with that place's configuration.
fn register(registrar: &mut Registrar<'_>, host: HostServices, config: &str) -> Result<()> {
    let config: Config = match config.trim() {
        "" => Config::default(),
        text => serde_json::from_str(text)?,
    };
    if config.requests == 0 || config.seconds == 0 {
        return Err(Error::new("\"requests\" and \"seconds\" must be at least 1"));
    }
    registrar.middleware("limit", Limit { config, host });
    Ok(())
}

/// What is written behind the plugin's path: `--pre-plugin FILE={"requests": 3, "seconds": 60}`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    requests: u64,
    seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { requests: 100, seconds: 60 }
    }
}

struct Limit {
    config: Config,
    host: HostServices,
}

/// What is left to the client, from its request to the response.
struct Remaining(u64);

impl Middleware for Limit {
    fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        let Config { requests, seconds } = self.config;
        let address = exchange.peer().ip();
        // The host's store counts, all threads together. A request that is refused counts as well:
        // who goes on asking stays out.
        let count = self.host.take_token(&address.to_string(), Duration::from_secs(seconds))?;
        if count > requests {
            tracing::debug!(%address, count, "too many requests");
            let answer = Response::text(429, "too many requests\n");
            return Ok(Step::Respond(answer.header("retry-after", seconds.to_string())));
        }
        exchange.set_slot(Remaining(requests - count));
        Ok(Step::Next)
    }

    fn on_response(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        if let Some(Remaining(remaining)) = exchange.slot() {
            let remaining = remaining.to_string();
            exchange.set_header("x-remaining", remaining)?;
        }
        Ok(Step::Next)
    }
}

#[cfg(test)]
mod tests;
