//! The sinks, opened.

use super::config::Config;
use anyhow::{Context, Result};
use host_delivery::sink::{Delivering, Limits};
use host_delivery::{Delivery, Event, Outlet, Retry, Sink, Window};
use std::path::Path;
use std::sync::Arc;

/// Opens them, and starts to deliver.
pub(crate) fn deliver(config: &Config, folder: Option<&Path>) -> Result<Delivery> {
    let env = |name: &str| std::env::var(name).ok();
    let outlets = config.sinks.iter().cloned().map(|sink| sink.outlet(&env));
    let mut outlets = outlets.collect::<Result<Vec<_>, _>>()?;
    if outlets.is_empty() && config.dry_run {
        outlets.push(nowhere());
    }
    Delivery::start(outlets, folder).context("events cannot be delivered")
}

/// In a dry run events go nowhere.
struct Nowhere;

impl Sink for Nowhere {
    fn deliver<'a>(&'a self, _: &'a [Arc<Event>]) -> Delivering<'a> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn limits(&self) -> Limits {
        Limits { connections: 1, events: 1024, bytes: 1 << 20 }
    }
}

pub(super) fn nowhere() -> Outlet {
    Outlet {
        name: "nowhere".to_owned(),
        sink: Box::new(Nowhere),
        window: Window::default(),
        retry: Retry::default(),
        dedupe: 0,
    }
}
