//! From settings to what each part needs: checked here, before anything is opened.

use super::failed_logins::FailedLogins;
use super::settings::{Document, Settings};
use super::source::Lines;
use crate::Usage;
use crate::cli::{StartArgs, TrustFlags};
use crate::events::{manifest, unique};
use crate::file::EventPluginTable;
use crate::plugins::Asked;
use crate::trust::Trust;
use anyhow::Result;
use host_delivery::SinkConfig;
use host_delivery::config::Kind;
use host_delivery::sink::{file, fluentd, stdout};
use host_events::{Manifest, PoolBuilder};
use host_proxy::Listen;
use host_teleport::Credentials;
use serde::Deserialize;
use std::path::PathBuf;

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
    event_plugin: Vec<EventPluginTable>,
    sink: Vec<SinkConfig>,
}

impl Config {
    pub(crate) fn check(
        settings: &Settings,
        file: Option<&Document>,
        args: &StartArgs,
    ) -> Result<Self> {
        let tables = file.map(Tables::read).transpose()?.unwrap_or_default();
        let dry_run = settings.switch("dry-run")?;
        let storage = settings.path("storage");
        let from = match settings.text("source") {
            Some(text) => {
                let lines = Lines::new(text, in_flight(settings)?);
                From::Lines(lines.choose(settings.list("types"), settings.list("skip-event-types")))
            }
            None => From::Teleport(Box::new(teleport(settings, storage.clone())?)),
        };
        let folder = match &from {
            From::Teleport(config) => config.addr.rsplit_once(':').map(|(host, port)| {
                let host = host.trim_matches(['[', ']']);
                format!("{host}_{port}")
            }),
            From::Lines(lines) => Some(lines.folder()),
        };
        let state = storage.zip(folder).map(|(storage, folder)| storage.join(folder));
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
    fn read(file: &Document) -> Result<Self> {
        let tables = toml::from_str(&file.text);
        Ok(tables.map_err(|error| {
            Usage(format!("{}: {}", file.path.display(), error.to_string().trim_end()))
        })?)
    }
}

fn in_flight(settings: &Settings) -> Result<u32, Usage> {
    Ok(settings.number("in-flight", 1)?.unwrap_or(8192))
}

fn teleport(settings: &Settings, storage: Option<PathBuf>) -> Result<host_teleport::Config, Usage> {
    let storage = storage.ok_or_else(|| {
        let text = "where to keep the cursor is not said: give --storage DIR";
        Usage(text.to_owned())
    })?;
    let addr = settings.text("teleport-addr").unwrap_or_default();
    let mut config = host_teleport::Config::new(addr, credentials(settings)?, storage);
    if settings.switch("teleport-refresh-enabled")? {
        config.refresh = settings.time("teleport-refresh-interval")?;
    }
    config.types = settings.list("types");
    config.skip_event_types = settings.list("skip-event-types");
    config.skip_session_types = settings.list("skip-session-types");
    config.batch = settings.number("batch", 1)?.unwrap_or(config.batch);
    config.window = settings.time("window-size")?.unwrap_or(config.window);
    config.timeout = settings.time("timeout")?.unwrap_or(config.timeout);
    config.concurrency = settings.number("concurrency", 1)?.unwrap_or(config.concurrency);
    let start_time = settings.read("start-time", |text| {
        text.parse::<jiff::Timestamp>()
            .map_err(|_| format!("{text:?} is not a time in RFC 3339; write 2024-02-23T19:00:00Z"))
    })?;
    config.start_time = start_time.map(Into::into);
    config.exit_on_last_event = settings.switch("exit-on-last-event")?;
    config.dry_run = settings.switch("dry-run")?;
    config.in_flight = in_flight(settings)?;
    Ok(config)
}

fn credentials(settings: &Settings) -> Result<Credentials, Usage> {
    let files = ["teleport-ca", "teleport-cert", "teleport-key"].map(|flag| settings.path(flag));
    match (settings.path("teleport-identity"), files) {
        (Some(identity), _) => Ok(Credentials::Identity(identity)),
        (None, [Some(ca), Some(cert), Some(key)]) => Ok(Credentials::Files { ca, cert, key }),
        (None, [None, None, None]) => Err(Usage(
            "who we are is not said: give --teleport-identity FILE, or --teleport-ca, \
             --teleport-cert and --teleport-key; or --source FILE, to read events without a cluster"
                .to_owned(),
        )),
        (None, _) => {
            let text = "give all of --teleport-ca, --teleport-cert and --teleport-key, or in place \
                        of them --teleport-identity";
            Err(Usage(text.to_owned()))
        }
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

fn sinks(
    settings: &Settings,
    tables: Vec<SinkConfig>,
    args: &StartArgs,
    dry_run: bool,
) -> Result<Vec<SinkConfig>, Usage> {
    let mut sinks: Vec<_> = fluentd(settings)?.into_iter().map(SinkConfig::new).collect();
    sinks.extend(tables);
    for text in &args.sink {
        sinks.push(SinkConfig::new(match text.split_once(':') {
            None if text == "stdout" => Kind::Stdout(stdout::Config {}),
            Some(("file", path)) if !path.is_empty() => {
                Kind::File(file::Config { path: path.into(), fsync: true, rotate: None })
            }
            _ => return Err(Usage(format!("--sink: {text:?} is neither stdout nor file:PATH"))),
        }));
    }
    if sinks.is_empty() && !dry_run {
        let text = "where events go is not said: give --fluentd-url and --fluentd-session-url (url \
                    and session-url of [forward.fluentd]), or another sink: --sink stdout";
        return Err(Usage(text.to_owned()));
    }
    let dedupe = settings.number("dedupe", 0)?.unwrap_or(0);
    for sink in sinks.iter_mut().filter(|sink| sink.dedupe == 0) {
        sink.dedupe = dedupe;
    }
    if dry_run {
        sinks.retain(|sink| matches!(sink.kind, Kind::Stdout(_)));
    }
    Ok(sinks)
}

fn fluentd(settings: &Settings) -> Result<Option<Kind>, Usage> {
    let (url, session_url) = match ["fluentd-url", "fluentd-session-url"]
        .map(|it| settings.text(it))
    {
        [None, None] => return Ok(None),
        [Some(url), Some(session_url)] => (url, session_url),
        [None, Some(_)] => {
            let text = "--fluentd-session-url is given without --fluentd-url: give both";
            return Err(Usage(text.to_owned()));
        }
        [Some(_), None] => {
            let text = "--fluentd-url is given without --fluentd-session-url, where the events of \
                        recordings go: give both";
            return Err(Usage(text.to_owned()));
        }
    };
    let mut config = fluentd::Config::new(url);
    config.session_url = Some(session_url.to_owned());
    config.ca = settings.path("fluentd-ca");
    config.cert = settings.path("fluentd-cert");
    config.key = settings.path("fluentd-key");
    let connections: Option<usize> = settings.number("fluentd-max-connections", 1)?;
    let concurrency: Option<usize> = settings.number("concurrency", 1)?;
    let twice = concurrency.map(|workers| workers.saturating_mul(2));
    config.max_connections = connections.or(twice).unwrap_or(config.max_connections);
    config.batch = settings.number("fluentd-batch", 1)?.unwrap_or(config.batch);
    Ok(Some(Kind::Fluentd(config)))
}

fn failed_logins(settings: &Settings) -> Result<Option<FailedLogins>, Usage> {
    let forgiven = settings.number("lock-failed-attempts-count", 1)?.unwrap_or(3);
    let period = settings.time("lock-period")?.unwrap_or_default();
    let lock_for = settings.time("lock-for")?.filter(|time| !time.is_zero());
    if period.is_zero() {
        return Err(settings.wrong("lock-period", &"0 is too little"));
    }
    let enabled = settings.switch("lock-enabled")?;
    Ok(enabled.then(|| FailedLogins::new(forgiven, period, lock_for)))
}
