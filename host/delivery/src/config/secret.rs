//! Values that need not be in the configuration itself.

use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;

/// A value, or where it is.
///
/// ```toml
/// Authorization = { env = "SPLUNK_TOKEN", prefix = "Splunk " }
/// Authorization = { file = "/run/secrets/loki", prefix = "Basic " }
/// X-Scope-OrgID = "audit"
/// ```
#[derive(Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "a value is a string, { env = \"NAME\" } or { file = \"PATH\" }, the latter two with \
                 a `prefix` if it needs one"
)]
pub enum Secret {
    /// The value itself.
    Plain(String),
    /// Of a variable of the environment.
    Env(FromEnv),
    /// Of the first line of a file.
    File(FromFile),
}

/// A variable with a value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromEnv {
    env: String,
    #[serde(default)]
    prefix: String,
}

/// A file with a value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromFile {
    file: PathBuf,
    #[serde(default)]
    prefix: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain(…)"),
            Self::Env(from) => from.fmt(f),
            Self::File(from) => from.fmt(f),
        }
    }
}

impl Secret {
    /// The value. An error says where it is not.
    pub(crate) fn value(self, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
        match self {
            Self::Plain(value) => Ok(value),
            Self::Env(FromEnv { env: name, prefix }) => match env(&name) {
                Some(value) => Ok(prefix + value.trim()),
                None => Err(format!("the environment variable {name} is not set")),
            },
            Self::File(FromFile { file, prefix }) => match std::fs::read_to_string(&file) {
                Ok(text) => Ok(prefix + text.lines().next().unwrap_or_default().trim()),
                Err(error) => Err(format!("{} cannot be read: {error}", file.display())),
            },
        }
    }
}
