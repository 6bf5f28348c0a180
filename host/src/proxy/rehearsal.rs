//! What a successor does while the process before still serves: it loads everything, and forgets it.

use crate::config::Checked;
use crate::events::{EventLoader, EventsConfig};
use crate::live::{Declared, First, Record};
use crate::plugins::Loaders;
use anyhow::Result;
use host_events::store::MemoryStore;
use host_proxy::native::{HostSide, LogEvents};
use host_proxy::{Chain, Client, Metrics};
use std::sync::Arc;

/// Loads what was asked for, with stores in memory that are thrown away. So what does not load is known
/// before the process before gives anything up; and what does, loads at once the second time: libraries
/// are mapped, and modules compiled.
pub(super) async fn rehearse(
    config: &Checked,
    events: Option<&EventsConfig>,
    declared: Declared,
) -> Result<()> {
    let metrics = Arc::new(Metrics::new());
    let store = Arc::new(MemoryStore::new(super::STORE));
    let quiet = events.map(|events| EventsConfig { alerts: None, ..events.clone() });
    let event_loader = quiet.as_ref().map(|events| {
        EventLoader::new(events, &config.trust, &config.state, store.clone(), &metrics)
    });
    let event_loader = event_loader.transpose()?;
    let host = HostSide::new(
        tokio::runtime::Handle::current(),
        Client::new(&config.client)?,
        Arc::new(host_proxy::MemoryStore::new(super::STORE)),
        metrics.clone(),
        Arc::new(LogEvents),
    );
    let loaders = Loaders::new(config, host, store);
    // The process before is still at it, so its record says that it has not ended; but it has its files
    // in order, and nothing makes up for one that does not load.
    let record = Record { clean: true, ..Record::read(&config.state) };
    let link = |first: &First| Chain::new(first.parts(), metrics.clone());
    let (first, _) = First::load(declared, &record, &loaders, event_loader.as_ref(), link).await?;
    // Nobody has asked to let everybody in: it is the same configuration that is loaded anew, perhaps
    // only since there was no more room for libraries.
    first.stays_closed(&record)
}
