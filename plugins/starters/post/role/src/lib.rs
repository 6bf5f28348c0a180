//! POST middleware: tells the upstream in `X-Role` what the user may do.

use plugin_interface::{Exchange, HostServices, Middleware, Registrar, Result, Step, tracing};
use serde::Deserialize;
use std::collections::HashMap;

const HEADER: &str = "x-role";

plugin_interface::export_plugin!(register);

/// Called once for each place that the plugin is used in, with that place's configuration.
fn register(registrar: &mut Registrar<'_>, _: HostServices, config: &str) -> Result<()> {
    let config: Config = match config.trim() {
        "" => Config::default(),
        text => serde_json::from_str(text)?,
    };
    registrar.middleware("role", Role { config });
    Ok(())
}

/// What is written behind the plugin's path: `--post-plugin FILE={"roles": {"ann": "admin"}}`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Users and their roles.
    roles: HashMap<String, String>,
    /// The role of all other users who are logged in.
    otherwise: Option<String>,
}

struct Role {
    config: Config,
}

impl Role {
    fn of(&self, user: Option<&str>) -> Option<&str> {
        let role = self.config.roles.get(user?).or(self.config.otherwise.as_ref());
        role.map(String::as_str)
    }
}

impl Middleware for Role {
    fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        // The upstream trusts this header: what a client claims in it never passes.
        match self.of(exchange.identity()) {
            Some(role) => {
                tracing::debug!(role, user = exchange.identity(), "has a role");
                exchange.set_header(HEADER, role)?;
            }
            None => _ = exchange.remove_header(HEADER),
        }
        Ok(Step::Next)
    }
}

#[cfg(test)]
mod tests;
