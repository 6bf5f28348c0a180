//! The source, as the settings say it.

use crate::Usage;
use crate::event_handler::settings::Settings;
use host_teleport::Credentials;
use std::path::PathBuf;

/// How many events may be out.
pub(super) fn in_flight(settings: &Settings) -> Result<u32, Usage> {
    Ok(settings.number("in-flight")?.unwrap_or(8192))
}

/// A cluster.
pub(super) fn teleport(
    settings: &Settings,
    storage: Option<PathBuf>,
) -> Result<host_teleport::Config, Usage> {
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
    config.batch = settings.number("batch")?.unwrap_or(config.batch);
    config.window = settings.time("window-size")?.unwrap_or(config.window);
    config.timeout = settings.time("timeout")?.unwrap_or(config.timeout);
    config.concurrency = settings.number("concurrency")?.unwrap_or(config.concurrency);
    config.start_time = settings.date("start-time")?;
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
