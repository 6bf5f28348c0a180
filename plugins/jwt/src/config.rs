//! The configuration, parsed once.

use jsonwebtoken::{Algorithm, Validation};
use plugin_interface::{Error, Result};
use serde::Deserialize;
use std::path::PathBuf;

/// What tokens are taken, and who they are for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) jwks_file: PathBuf,
    issuer: Option<String>,
    audience: Option<String>,
    #[serde(default = "subject")]
    pub(crate) identity_claim: String,
    /// None: all that the keys allow.
    algorithms: Option<Vec<Algorithm>>,
    #[serde(default = "a_minute")]
    leeway_seconds: u64,
    #[serde(default = "yes")]
    require_exp: bool,
    #[serde(default = "tenon")]
    pub(crate) realm: String,
}

fn subject() -> String {
    "sub".to_owned()
}

fn a_minute() -> u64 {
    60
}

fn yes() -> bool {
    true
}

fn tenon() -> String {
    "tenon".to_owned()
}

/// More than that is no clock skew, and makes a mockery of `exp`.
const LEEWAY_LIMIT: u64 = 3600;

impl Config {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(Error::new(r#"it needs at least {"jwks_file": "/path/to/jwks.json"}"#));
        }
        let config: Self = serde_json::from_str(text)?;
        if config.algorithms.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::new("\"algorithms\" is empty: leave it out to allow all"));
        }
        if config.leeway_seconds > LEEWAY_LIMIT {
            let error = format_args!("\"leeway_seconds\" may be {LEEWAY_LIMIT} at most");
            return Err(Error::new(error));
        }
        // Put into a quoted string (RFC 9110, section 5.6.4) as it is.
        let plain = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if !config.realm.bytes().all(plain) {
            let error = "\"realm\" may have printable ASCII without quotes and backslashes only";
            return Err(Error::new(error));
        }
        Ok(config)
    }

    pub(crate) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.as_ref().is_none_or(|allowed| allowed.contains(&algorithm))
    }

    /// The checks of a token's claims (RFC 7519, section 4.1), for a key of these algorithms.
    pub(crate) fn validation(&self, algorithms: Vec<Algorithm>) -> Validation {
        let mut required = Vec::new();
        let leeway = self.leeway_seconds;
        let mut validation =
            Validation { algorithms, leeway, validate_nbf: true, ..Validation::default() };
        if self.require_exp {
            required.push("exp");
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        // Without an audience of ours a token that names one is for someone else, and refused
        // (section 4.1.3).
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    fn error(config: &str) -> String {
        Config::parse(config).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_configuration_is_refused_by_its_key() {
        assert_eq!(error(""), r#"it needs at least {"jwks_file": "/path/to/jwks.json"}"#);
        assert!(error("{}").contains("missing field `jwks_file`"));
        assert!(error(r#"{"jwks_file": "f", "isuer": "x"}"#).contains("unknown field `isuer`"));
        let none = error(r#"{"jwks_file": "f", "algorithms": ["none"]}"#);
        assert!(none.contains("unknown variant `none`, expected one of `HS256`"), "{none}");
        assert!(error(r#"{"jwks_file": "f", "algorithms": []}"#).contains("\"algorithms\""));
        assert_eq!(
            error(r#"{"jwks_file": "f", "leeway_seconds": 3601}"#),
            "\"leeway_seconds\" may be 3600 at most"
        );
        for realm in [r#"a\"b"#, r"a\\b", r"a\nb", "ä"] {
            let text = format!(r#"{{"jwks_file": "f", "realm": "{realm}"}}"#);
            assert!(error(&text).starts_with("\"realm\" may have"), "{text}");
        }
    }
}
