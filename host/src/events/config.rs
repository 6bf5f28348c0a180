//! The event plugins and sinks that the user asked for.

use crate::Usage;
use crate::cli::ProxyArgs;
use crate::file::EventPluginTable;
use crate::plugins::Asked;
use anyhow::{Context, Result};
use host_events::sink::Rotation;
use host_events::{Manifest, PoolBuilder};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What is known of events before anything is opened or loaded.
#[derive(Clone, Debug)]
pub(crate) struct EventsConfig {
    pub(crate) plugins: Vec<Manifest>,
    pub(crate) to: EventsTo,
    pub(crate) rotation: Rotation,
    pub(crate) alerts: Option<PathBuf>,
    pub(crate) cluster: String,
}

/// Where audit events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventsTo {
    Nowhere,
    Log,
    File(PathBuf),
}

/// A secret, or where it is.
#[derive(Clone, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a secret is \"text\", { env = \"VARIABLE\" } or { file = \"PATH\" }"
)]
pub(crate) enum Secret {
    /// The secret itself.
    Plain(String),
    /// The environment variable that holds it.
    Env { env: String },
    /// The file whose first line it is.
    File { file: PathBuf },
}

impl EventsConfig {
    /// Checks flags and file. Without plugins, and without a place for events, there are none.
    pub(crate) fn check(
        args: &ProxyArgs,
        tables: &[EventPluginTable],
        state: &std::path::Path,
    ) -> Result<Option<Self>> {
        let mut plugins =
            tables.iter().map(EventPluginTable::manifest).collect::<Result<Vec<_>>>()?;
        for text in &args.event_plugin {
            plugins.push(manifest(Asked::parse(text)?)?);
        }
        unique(&plugins)?;
        let to = match args.events.as_deref() {
            Some("off") => EventsTo::Nowhere,
            Some("log") => EventsTo::Log,
            Some(path) => EventsTo::File(PathBuf::from(path)),
            None if plugins.is_empty() => EventsTo::Nowhere,
            None => EventsTo::File(state.join("events.ndjson")),
        };
        if plugins.is_empty() && to == EventsTo::Nowhere {
            return Ok(None);
        }
        let rotation = Rotation {
            bytes: args.events_size.unwrap_or(100 << 20),
            keep: args.events_keep.unwrap_or(5),
        };
        let cluster = args.cluster_name.clone().unwrap_or_else(|| "tenon".to_owned());
        Ok(Some(Self { plugins, to, rotation, alerts: args.alerts.clone(), cluster }))
    }
}

/// Whether each plugin has a name of its own.
pub(crate) fn unique(plugins: &[Manifest]) -> Result<(), Usage> {
    let mut names = BTreeSet::new();
    match plugins.iter().find(|plugin| !names.insert(&plugin.name)) {
        None => Ok(()),
        Some(twice) => Err(Usage(format!(
            "two event plugins are called {}, and what one stores belongs to its name; give one of \
             them another with `name` in the configuration file",
            twice.name
        ))),
    }
}

/// Makes a manifest of `PATH` or `PATH={json}`.
pub(crate) fn manifest(asked: Asked) -> Result<Manifest> {
    let mut manifest = Manifest::new(asked.path);
    if !asked.config.is_empty() {
        let config = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(&asked.config);
        let config = config.map_err(|error| {
            let path = manifest.path.display();
            Usage(format!("the configuration of {path} must be a JSON object: {error}"))
        })?;
        manifest.config = config.into_iter().map(|(key, value)| (key, as_text(value))).collect();
    }
    Ok(manifest)
}

/// Extism's configuration is text: a text as it is, anything else as JSON.
pub(crate) fn as_text(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Without the secret.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl EventPluginTable {
    pub(crate) fn manifest(&self) -> Result<Manifest> {
        let mut manifest = Manifest::new(&self.path);
        if let Some(name) = &self.name {
            if name.is_empty() || name.contains('/') {
                return Err(Usage(format!(
                    "{name:?} is no name for an event plugin: it cannot be empty or have a slash"
                ))
                .into());
            }
            manifest.name.clone_from(name);
        }
        manifest.timeout = self.timeout.unwrap_or(manifest.timeout);
        if let Some(count) =
            self.concurrency.filter(|count| !(1..=PoolBuilder::MOST).contains(count))
        {
            let most = PoolBuilder::MOST;
            return Err(Usage(format!(
                "the event plugin {} wants {count} instances; concurrency is from 1 to {most}",
                manifest.name
            ))
            .into());
        }
        manifest.concurrency = self.concurrency;
        manifest.memory = self.memory.unwrap_or(manifest.memory);
        manifest.on_error = self.on_error;
        manifest.handler.clone_from(&self.handler);
        for (key, value) in &self.config {
            manifest.config.insert(key.clone(), as_text(serde_json::to_value(value)?));
        }
        for (name, secret) in &self.secrets {
            let secret = secret.read().with_context(|| {
                format!("the secret {name} of the event plugin {}", manifest.name)
            })?;
            manifest.secrets.insert(name.clone(), secret);
        }
        Ok(manifest)
    }
}

impl Secret {
    fn read(&self) -> Result<String> {
        match self {
            Self::Plain(secret) => Ok(secret.clone()),
            Self::Env { env } => std::env::var(env)
                .with_context(|| format!("the environment variable {env} cannot be read")),
            Self::File { file } => crate::config::first_line(file, "the file of the secret"),
        }
    }
}
