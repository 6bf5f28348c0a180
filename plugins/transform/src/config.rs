//! The configuration, parsed once.

use crate::replacer::Rules;
use http::{HeaderName, HeaderValue};
use plugin_interface::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    replace: Vec<Replace>,
    #[serde(default)]
    set_headers: BTreeMap<String, String>,
    #[serde(default)]
    remove_headers: Vec<String>,
    #[serde(default = "text_and_json")]
    content_types: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replace {
    from: String,
    to: String,
}

fn text_and_json() -> Vec<String> {
    vec!["text/".to_owned(), "application/json".to_owned()]
}

/// What to do with each response.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) rules: Arc<Rules>,
    pub(crate) set_headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) remove_headers: Vec<HeaderName>,
    /// In lower case; each is the start of a media type.
    pub(crate) content_types: Vec<String>,
}

impl Config {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        const EXAMPLE: &str =
            r#"{"replace": [{"from": "http://internal", "to": "https://example.com"}]}"#;
        let nothing = || {
            Error::new(format_args!(
                "it needs \"replace\", \"set_headers\" or \"remove_headers\": {EXAMPLE}"
            ))
        };
        if text.trim().is_empty() {
            return Err(nothing());
        }
        let raw: Raw = serde_json::from_str(text)?;
        if raw.replace.is_empty() && raw.set_headers.is_empty() && raw.remove_headers.is_empty() {
            return Err(nothing());
        }
        Ok(Self {
            rules: Arc::new(rules(raw.replace)?),
            set_headers: raw.set_headers.iter().map(header).collect::<Result<_>>()?,
            remove_headers: raw
                .remove_headers
                .iter()
                .map(|name| header_name("remove_headers", name))
                .collect::<Result<_>>()?,
            content_types: raw.content_types.iter().map(|text| text.to_lowercase()).collect(),
        })
    }

    /// Whether bodies of this `Content-Type` are rewritten.
    pub(crate) fn rewrites(&self, content_type: &str) -> bool {
        let content_type = content_type.trim_start().to_ascii_lowercase();
        self.content_types.iter().any(|start| content_type.starts_with(start))
    }
}

fn rules(replace: Vec<Replace>) -> Result<Rules> {
    for (index, rule) in replace.iter().enumerate() {
        if rule.from.is_empty() {
            return Err(Error::new(format_args!(
                "\"replace\": rule {} has no \"from\"",
                index + 1
            )));
        }
        if replace[..index].iter().any(|earlier| earlier.from == rule.from) {
            let from = &rule.from;
            return Err(Error::new(format_args!("\"replace\": {from:?} is there twice")));
        }
    }
    let pairs = replace.into_iter().map(|rule| (rule.from.into(), rule.to.into()));
    Ok(Rules::new(pairs.collect())?)
}

fn header((name, value): (&String, &String)) -> Result<(HeaderName, HeaderValue)> {
    let value = value.parse().map_err(|_| {
        Error::new(format_args!("\"set_headers\": {value:?} is not a header's value"))
    })?;
    Ok((header_name("set_headers", name)?, value))
}

fn header_name(key: &str, name: &str) -> Result<HeaderName> {
    name.parse().map_err(|_| Error::new(format_args!("\"{key}\": {name:?} is not a header's name")))
}

#[cfg(test)]
mod tests {
    use super::Config;

    fn error(config: &str) -> String {
        Config::parse(config).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_configuration_is_refused_by_key_and_value() {
        let nothing = "it needs \"replace\", \"set_headers\" or \"remove_headers\"";
        assert!(error("").starts_with(nothing));
        assert!(error(r#"{"content_types": ["text/"]}"#).starts_with(nothing));
        assert_eq!(
            error(r#"{"replace": [{"from": "a", "to": "b"}, {"from": "", "to": "b"}]}"#),
            r#""replace": rule 2 has no "from""#
        );
        assert_eq!(
            error(r#"{"replace": [{"from": "a", "to": "b"}, {"from": "a", "to": "c"}]}"#),
            r#""replace": "a" is there twice"#
        );
        assert_eq!(
            error(r#"{"set_headers": {"a b": "c"}}"#),
            r#""set_headers": "a b" is not a header's name"#
        );
        assert_eq!(
            error(r#"{"set_headers": {"a": "b\nc"}}"#),
            r#""set_headers": "b\nc" is not a header's value"#
        );
        assert_eq!(
            error(r#"{"remove_headers": [""]}"#),
            r#""remove_headers": "" is not a header's name"#
        );
        assert!(error(r#"{"replaces": []}"#).contains("unknown field `replaces`"));
        assert!(error(r#"{"replace": [{"form": "a"}]}"#).contains("unknown field `form`"));
    }

    #[test]
    fn content_types_are_compared_by_their_start_and_without_case() {
        let config = r#"{"remove_headers": ["server"], "content_types": ["Text/", "image/svg"]}"#;
        let config = Config::parse(config).unwrap();
        assert!(config.rewrites("text/html; charset=utf-8"));
        assert!(config.rewrites("TEXT/plain"));
        assert!(config.rewrites("image/svg+xml"));
        assert!(!config.rewrites("image/png"));
        assert!(!config.rewrites("application/json"));
        assert!(!config.rewrites(""));
        let config = Config::parse(r#"{"remove_headers": ["server"]}"#).unwrap();
        assert!(config.rewrites("application/json") && config.rewrites("text/css"));
    }
}
