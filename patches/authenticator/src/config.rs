//! The configuration, parsed once.

use plugin_interface::{Error, Result};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    users_file: PathBuf,
    remember_seconds: u64,
    realm: String,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            users_file: "users.htpasswd".into(),
            remember_seconds: 60,
            realm: "tenon".to_owned(),
        }
    }
}

/// Who the users are, and for how long a verified password is good without looking again.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) users_file: PathBuf,
    pub(crate) remember: Duration,
    pub(crate) realm: String,
}

/// An hour: who is taken out of the file must not stay for a day.
const REMEMBER_LIMIT: u64 = 3600;

impl Config {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let Raw { users_file, remember_seconds, realm } = match text.trim() {
            "" => Raw::default(),
            text => serde_json::from_str(text)?,
        };
        if remember_seconds > REMEMBER_LIMIT {
            let error = format_args!("\"remember_seconds\" may be {REMEMBER_LIMIT} at most");
            return Err(Error::new(error));
        }
        // Put into a quoted string (RFC 9110, section 5.6.4) as it is.
        let plain = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if !realm.bytes().all(plain) {
            let error = "\"realm\" may have printable ASCII without quotes and backslashes only";
            return Err(Error::new(error));
        }
        Ok(Self { users_file, remember: Duration::from_secs(remember_seconds), realm })
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    fn error(config: &str) -> String {
        Config::parse(config).unwrap_err().to_string()
    }

    #[test]
    fn it_works_without_a_configuration() {
        let config = Config::parse("").unwrap();
        assert_eq!(config.users_file.to_str(), Some("users.htpasswd"));
        assert_eq!((config.remember.as_secs(), &*config.realm), (60, "tenon"));
    }

    #[test]
    fn a_wrong_configuration_is_refused_by_its_key() {
        assert!(error(r#"{"user_file": "f"}"#).contains("unknown field `user_file`"));
        assert_eq!(
            error(r#"{"remember_seconds": 3601}"#),
            "\"remember_seconds\" may be 3600 at most"
        );
        assert!(error(r#"{"realm": "a\"b"}"#).starts_with("\"realm\" may have printable ASCII"));
    }
}
