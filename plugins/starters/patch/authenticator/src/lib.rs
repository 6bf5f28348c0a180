//! Patch of the point `authenticator`: tokens (`Authorization: Bearer …`, RFC 6750) in place of one
//! user and password.

use plugin_interface::{
    Authenticator, Error, Exchange, HostServices, Registrar, Response, Result, Verdict, tracing,
};
use serde::Deserialize;
use std::collections::HashMap;

plugin_interface::export_plugin!(register);

/// Called when the host starts, with `config` of `[patches.authenticator]` in its file.
fn register(registrar: &mut Registrar<'_>, _: HostServices, config: &str) -> Result<()> {
    let config: Config = match config.trim() {
        "" => Config::default(),
        text => serde_json::from_str(text)?,
    };
    // Nobody could log in, which nobody means.
    if config.tokens.is_empty() {
        return Err(Error::new("it needs {\"tokens\": {\"TOKEN\": \"USER\"}}"));
    }
    if config.tokens.iter().any(|(token, user)| token.is_empty() || user.is_empty()) {
        return Err(Error::new("\"tokens\": neither a token nor a user can be empty"));
    }
    registrar.authenticator("tokens", Tokens { config });
    Ok(())
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Tokens, and whose they are. Found by their hash, whose key is random: the time that it takes
    /// says nothing of how much of a token is right.
    tokens: HashMap<String, String>,
}

struct Tokens {
    config: Config,
}

impl Authenticator for Tokens {
    fn challenge(&self) -> String {
        "Bearer realm=\"tenon\"".to_owned()
    }

    fn authenticate(&self, exchange: &mut Exchange<'_>) -> Result<Verdict> {
        let Some(token) = exchange.header_str("authorization").and_then(bearer) else {
            return Ok(Verdict::Abstain); // the client is asked for one
        };
        if let Some(user) = self.config.tokens.get(token) {
            return Ok(Verdict::Accept(user.clone()));
        }
        tracing::info!(peer = %exchange.peer(), "a wrong token");
        let challenge = format!("{}, error=\"invalid_token\"", self.challenge());
        let answer = Response::text(401, "wrong token\n").header("www-authenticate", challenge);
        Ok(Verdict::Reject(answer))
    }
}

/// The token in a value of `Authorization`, if it is of this kind.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests;
