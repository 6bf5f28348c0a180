//! The configuration file, and how settings are found in it.

use crate::file;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Keys whose values are tables with rules of their own.
const TABLES: [&str; 2] = ["event-plugin", "sink"];

/// A configuration file that was read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    table: Table,
}

impl Document {
    /// Reads it; a mistake in it names its line.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
        Self::parse(path, text)
    }

    pub(super) fn parse(path: &Path, text: String) -> Result<Self> {
        let table = file::toml(path, &text)?;
        Ok(Self { path: path.to_owned(), text, table })
    }

    /// The key that says `flag`, with its value.
    pub(super) fn find(&self, flag: &str) -> Option<(String, &Value)> {
        self.keys(flag).into_iter().next()
    }

    /// The keys that may say `flag`, the one that counts first: `fluentd-x` is `x` of
    /// `[forward.fluentd]`, and `a-b-c` is `a.b.c`, then `a.b-c` and so on, then `a-b-c`.
    fn keys(&self, flag: &str) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        if let Some(rest) = flag.strip_prefix("fluentd-") {
            let forward = self.table.get("forward").and_then(Value::as_table);
            let fluentd = forward.and_then(|table| table.get("fluentd")).and_then(Value::as_table);
            if let Some(table) = fluentd {
                search(table, rest, "forward.fluentd.", &mut found);
            }
        }
        search(&self.table, flag, "", &mut found);
        found
    }

    /// The keys that none of the flags has.
    pub(super) fn unknown(&self, flags: impl Iterator<Item = &'static str>) -> Vec<String> {
        let known: BTreeSet<_> =
            flags.flat_map(|flag| self.keys(flag).into_iter().map(|(key, _)| key)).collect();
        let mut all = Vec::new();
        leaves(&self.table, "", &mut all);
        all.retain(|key| !known.contains(key) && !TABLES.contains(&key.as_str()));
        all
    }
}

fn search<'a>(table: &'a Table, flag: &str, before: &str, found: &mut Vec<(String, &'a Value)>) {
    for (at, _) in flag.match_indices('-') {
        let (name, rest) = (&flag[..at], &flag[at + 1..]);
        if let Some(Value::Table(inner)) = table.get(name) {
            search(inner, rest, &format!("{before}{name}."), found);
        }
    }
    if let Some(value) = table.get(flag) {
        found.push((format!("{before}{flag}"), value));
    }
}

fn leaves(table: &Table, before: &str, all: &mut Vec<String>) {
    for (name, value) in table {
        match value {
            Value::Table(inner) => leaves(inner, &format!("{before}{name}."), all),
            _ => all.push(format!("{before}{name}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Usage;

    fn document(text: &str) -> Document {
        Document::parse(Path::new("a.toml"), text.to_owned()).unwrap()
    }

    #[test]
    fn a_flag_is_a_dotted_key_and_then_a_literal_one() {
        let found = |text: &str, flag: &str| {
            let document = document(text);
            document.find(flag).map(|(key, value)| (key, value.as_str().unwrap().to_owned()))
        };
        let is = |key: &str| Some((key.to_owned(), "x".to_owned()));
        let (dotted, literal) = ("[teleport.refresh]\nenabled = 'x'", "teleport-addr = 'x'");
        assert_eq!(found(dotted, "teleport-refresh-enabled"), is("teleport.refresh.enabled"));
        assert_eq!(found(literal, "teleport-addr"), is("teleport-addr"));
        let both = "teleport-addr = 'y'\n[teleport]\naddr = 'x'";
        assert_eq!(found(both, "teleport-addr"), is("teleport.addr"));
        let fluentd = "[fluentd]\nurl = 'y'\n[forward.fluentd]\nurl = 'x'";
        assert_eq!(found(fluentd, "fluentd-url"), is("forward.fluentd.url"));
        let session = "[forward.fluentd]\nsession-url = 'x'";
        assert_eq!(found(session, "fluentd-session-url"), is("forward.fluentd.session-url"));
        let half = "[lock]\nfailed-attempts-count = 'x'";
        assert_eq!(found(half, "lock-failed-attempts-count"), is("lock.failed-attempts-count"));
        assert_eq!(found(half, "lock-for"), None);
    }

    #[test]
    fn what_no_flag_is_called_is_unknown() {
        let text =
            "batch = 1\nbatsh = 2\n[teleport]\naddr = ''\nadr = ''\n[[sink]]\nkind = 'stdout'";
        let unknown = document(text).unknown(["batch", "teleport-addr"].into_iter());
        assert_eq!(unknown, ["batsh", "teleport.adr"]);
    }

    #[test]
    fn a_mistake_names_file_and_line() {
        let error = Document::parse(Path::new("a.toml"), "a = 1\nb = ?".to_owned()).unwrap_err();
        assert!(error.is::<Usage>());
        assert!(error.to_string().contains("a.toml: TOML parse error at line 2"), "{error}");
    }
}
