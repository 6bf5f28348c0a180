//! From settings to what each part needs: checked here, before anything is opened.

mod sinks;
mod teleport;

use super::failed_logins::FailedLogins;
use super::settings::{Document, Settings};
use super::source::Lines;
use crate::Usage;
use crate::cli::{StartArgs, TrustFlags};
use crate::events::{manifest, unique};
use crate::file::{self, EventPluginTable, tables};
use crate::plugins::Asked;
use crate::trust::Trust;
use anyhow::Result;
use host_delivery::SinkConfig;
use host_events::{Manifest, PoolBuilder};
use host_proxy::Listen;
use serde::Deserialize;
use sinks::sinks;
use std::path::PathBuf;
use teleport::{in_flight, teleport};

/// A checked configuration.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) from: From,
    pub(crate) plugins: Vec<Manifest>,
    pub(crate) trust: Trust,
    pub(crate) alerts: Option<PathBuf>,
    pub(crate) sinks: Vec<SinkConfig>,
    /// The folder of this source's state. None: nothing is kept.
    pub(crate) state: Option<PathBuf>,
    pub(crate) failed_logins: Option<FailedLogins>,
    pub(crate) admin: Option<Listen>,
    pub(crate) dry_run: bool,
}

/// Where events are from.
#[derive(Debug)]
pub(crate) enum From {
    Teleport(Box<host_teleport::Config>),
    Lines(Lines),
}

/// What only the file can say.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Tables {
    #[serde(deserialize_with = "tables")]
    event_plugin: Vec<EventPluginTable>,
    sink: Vec<SinkConfig>,
}

impl Config {
    pub(crate) fn check(
        settings: &Settings,
        file: Option<&Document>,
        args: &StartArgs,
    ) -> Result<Self> {
        settings.check()?;
        let tables = file.map(Tables::read).transpose()?.unwrap_or_default();
        let dry_run = settings.switch("dry-run")?;
        let storage = settings.path("storage");
        let (from, state) = match settings.text("source") {
            Some(text) => {
                let lines = Lines::new(text, in_flight(settings)?)
                    .choose(settings.list("types"), settings.list("skip-event-types"));
                let state = storage.map(|storage| storage.join(lines.folder()));
                (From::Lines(lines), state)
            }
            None => {
                let config = teleport(settings, storage)?;
                let state = config.state_folder().map_err(|error| Usage(error.to_string()))?;
                (From::Teleport(Box::new(config)), Some(state))
            }
        };
        Ok(Self {
            from,
            plugins: plugins(settings, &tables.event_plugin, args)?,
            trust: Trust::new(&TrustFlags {
                plugin_trust: settings.path("plugin-trust"),
                allow_world_writable: settings.switch("allow-world-writable")?,
            }),
            alerts: settings.path("alerts").filter(|_| !dry_run),
            sinks: sinks(settings, tables.sink, args, dry_run)?,
            state: state.filter(|_| !dry_run),
            failed_logins: failed_logins(settings)?,
            admin: settings.read("admin", str::parse::<Listen>)?,
            dry_run,
        })
    }
}

impl Tables {
    fn read(document: &Document) -> Result<Self, Usage> {
        file::toml(&document.path, &document.text)
    }
}

fn plugins(
    settings: &Settings,
    tables: &[EventPluginTable],
    args: &StartArgs,
) -> Result<Vec<Manifest>> {
    let mut plugins = Vec::new();
    if let Some(path) = settings.path("wasm-plugin") {
        let mut manifest = Manifest::new(path);
        manifest.timeout = settings.time("wasm-timeout")?.unwrap_or(manifest.timeout);
        manifest.concurrency = settings.read("wasm-concurrency", |text| {
            let most = PoolBuilder::MOST;
            let number = text.parse().ok().filter(|number| (1..=most).contains(number));
            number.ok_or_else(|| format!("{text:?} is not a number from 1 to {most}"))
        })?;
        manifest.handler = settings.text("wasm-handle-event").map(str::to_owned);
        plugins.push(manifest);
    }
    for table in tables {
        plugins.push(table.manifest()?);
    }
    for text in &args.event_plugin {
        plugins.push(manifest(Asked::parse(text)?)?);
    }
    unique(&plugins)?;
    Ok(plugins)
}

fn failed_logins(settings: &Settings) -> Result<Option<FailedLogins>, Usage> {
    let forgiven = settings.number("lock-failed-attempts-count")?.unwrap_or(3);
    let period = settings.time("lock-period")?.unwrap_or_default();
    let lock_for = settings.time("lock-for")?.filter(|time| !time.is_zero());
    if period.is_zero() {
        return Err(settings.wrong("lock-period", &"0 is too little"));
    }
    let enabled = settings.switch("lock-enabled")?;
    Ok(enabled.then(|| FailedLogins::new(forgiven, period, lock_for)))
}
