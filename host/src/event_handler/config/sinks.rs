//! The sinks, as settings, flags and file say them.

use crate::Usage;
use crate::cli::StartArgs;
use crate::event_handler::settings::Settings;
use host_delivery::SinkConfig;
use host_delivery::config::Kind;
use host_delivery::sink::{file, fluentd, stdout};

/// fluentd, those of the file, those of flags.
pub(super) fn sinks(
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
    let dedupe = settings.number("dedupe")?.unwrap_or(0);
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
    // With the original 0 is the default, too.
    let connections =
        settings.number::<usize>("fluentd-max-connections")?.filter(|count| *count > 0);
    let concurrency: Option<usize> = settings.number("concurrency")?;
    let twice = concurrency.map(|workers| workers.saturating_mul(2));
    config.max_connections = connections.or(twice).unwrap_or(config.max_connections);
    config.batch = settings.number("fluentd-batch")?.unwrap_or(config.batch);
    Ok(Some(Kind::Fluentd(config)))
}
