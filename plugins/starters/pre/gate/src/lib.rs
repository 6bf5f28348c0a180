//! PRE middleware: turns clients away by their `User-Agent`, and marks what has passed.

use plugin_interface::{
    Counter, Exchange, HostServices, Middleware, Registrar, Response, Result, Step, tracing,
};
use serde::Deserialize;

plugin_interface::export_plugin!(register);

/// Called once for each place that the plugin is used in, with that place's configuration.
fn register(registrar: &mut Registrar<'_>, host: HostServices, config: &str) -> Result<()> {
    let config = Config::parse(config)?;
    let refused = host.counter("gate_refused_total", "Requests of clients not let in", &[])?;
    registrar.middleware("gate", Gate { config, refused });
    Ok(())
}

/// What is written behind the plugin's path: `--pre-plugin FILE={"deny": ["robot"]}`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Clients are turned away whose `User-Agent` has one of these in it, in small or capital
    /// letters.
    deny: Vec<String>,
}

impl Config {
    fn parse(text: &str) -> Result<Self> {
        let mut config = match text.trim() {
            "" => Self::default(),
            text => serde_json::from_str(text)?,
        };
        config.deny.iter_mut().for_each(|word| word.make_ascii_lowercase());
        Ok(config)
    }

    fn denies(&self, agent: &str) -> bool {
        let agent = agent.to_ascii_lowercase();
        self.deny.iter().any(|word| agent.contains(word))
    }
}

struct Gate {
    config: Config,
    refused: Counter,
}

impl Middleware for Gate {
    fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        let agent = exchange.header_str("user-agent").unwrap_or_default();
        if self.config.denies(agent) {
            tracing::info!(agent, path = exchange.path(), "turned away");
            self.refused.add(1);
            return Ok(Step::Respond(Response::text(403, "not for you\n")));
        }
        exchange.set_header("x-gate", "passed")?;
        Ok(Step::Next)
    }
}

#[cfg(test)]
mod tests;
