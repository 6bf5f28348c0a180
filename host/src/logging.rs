//! The log: to the standard error, in text or JSON, with a filter that can change.

use crate::Usage;
use crate::cli::FormatArg;
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::reload::{Handle, Layer};
use tracing_subscriber::{Registry, fmt};

static FILTER: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts to log what `filter` says.
pub fn start(filter: &str, format: FormatArg) -> Result<(), Usage> {
    let (filter, handle) = Layer::new(parse(filter)?);
    let registry = tracing_subscriber::registry().with(filter);
    let layer = fmt::layer().with_writer(std::io::stderr);
    let started = match format {
        FormatArg::Text => {
            registry.with(layer.with_ansi(std::io::stderr().is_terminal())).try_init()
        }
        FormatArg::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    if started.is_ok() {
        let _ = FILTER.set(handle);
        std::panic::set_hook(Box::new(|panic| tracing::error!(target: "panic", "{panic}")));
    }
    Ok(())
}

/// Changes the filter of the running program.
pub fn change(filter: &str) -> Result<(), Usage> {
    let parsed = parse(filter)?;
    if let Some(handle) = FILTER.get() {
        let _ = handle.reload(parsed); // fails only if the subscriber is gone
    }
    Ok(())
}

pub(crate) fn parse(filter: &str) -> Result<EnvFilter, Usage> {
    EnvFilter::try_new(filter).map_err(|error| {
        Usage(format!("{filter:?} is not a log filter ({error}); write info or host=debug,info"))
    })
}

/// Says why the program ends: in the log if it has begun, else as a plain line.
pub fn last_words(error: &anyhow::Error) {
    if FILTER.get().is_some() {
        tracing::error!(target: "host", "{error:#}");
    } else {
        eprintln!("host: {error:#}");
    }
}
