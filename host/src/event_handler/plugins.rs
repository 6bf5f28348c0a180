//! The event plugins, and what they are lent.

use super::cluster_locks::ClusterLocks;
use super::config::Config;
use crate::events::{EventLoader, alerts, code_cache};
use crate::state::secure_code;
use anyhow::Result;
use host_events::locks::Locks;
use host_events::sink::Rotation;
use host_events::store::{DEFAULT_LIMIT, DiskStore, MemoryStore, Store};
use host_events::{Chain, Metrics, Services};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Alerts are put aside when there are so many bytes of them.
const ALERTS: Rotation = Rotation { bytes: 100 << 20, keep: 5 };

/// What plugins keep between events, and between runs if there is a folder for that.
pub(crate) struct Kept {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) locks: Arc<dyn Locks>,
    disk: Option<Arc<DiskStore>>,
}

impl Kept {
    /// Opens it. Two processes cannot have the same folder.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self> {
        Ok(match folder {
            Some(folder) => {
                let disk = Arc::new(DiskStore::open(folder, DEFAULT_LIMIT)?);
                Self { store: disk.clone(), locks: disk.clone(), disk: Some(disk) }
            }
            None => {
                let memory = Arc::new(MemoryStore::new(DEFAULT_LIMIT));
                Self { store: memory.clone(), locks: memory, disk: None }
            }
        })
    }

    /// Writes what is left.
    pub(crate) fn close(&self) {
        if let Some(disk) = &self.disk {
            disk.close();
        }
    }
}

/// Where compiled code is kept. It is run as it is found, so nobody else may write there: on a volume that
/// a group shares, or whose owner is another, plugins are compiled at each start.
fn cache(folder: &Path, exposed: bool) -> Option<PathBuf> {
    let cache = secure_code(folder, "--storage", exposed).and_then(|()| code_cache(folder));
    cache
        .inspect_err(|why| {
            tracing::warn!("plugins are compiled at each start, nothing of that is kept: {why:#}");
        })
        .ok()
}

/// Loads the plugins, in order.
pub(crate) async fn load(
    config: &Config,
    folder: Option<&Path>,
    kept: &Kept,
    locks: Arc<ClusterLocks>,
    counts: &Metrics,
) -> Result<Chain> {
    config.trust.check_file()?;
    let services = Services {
        store: kept.store.clone(),
        locks,
        alerts: alerts(config.alerts.as_deref(), ALERTS)?,
    };
    let cache = match config.plugins.is_empty() {
        true => None,
        false => folder.and_then(|folder| cache(folder, config.trust.allows_others())),
    };
    let loader = EventLoader::of(services, counts.clone(), cache, config.trust.clone());
    let mut plugins = Vec::new();
    for manifest in &config.plugins {
        plugins.push(loader.load(manifest.clone(), manifest.read()?).await?);
    }
    Ok(Chain::new(plugins))
}
