//! Several plugins in a row.

use crate::event::Event;
use crate::plugin::{EventPlugin, Stopped};
use std::sync::Arc;

/// Plugins in the order in which they see an event: each sees what the one before it has made of
/// it, and nothing that one before it has skipped. Immutable: chains that follow one another share
/// the plugins that stay.
#[derive(Default)]
pub struct Chain {
    plugins: Vec<Arc<EventPlugin>>,
}

impl Chain {
    /// A chain of plugins.
    pub fn new(plugins: Vec<impl Into<Arc<EventPlugin>>>) -> Self {
        Self { plugins: plugins.into_iter().map(Into::into).collect() }
    }

    /// The plugins, in order.
    pub fn plugins(&self) -> &[Arc<EventPlugin>] {
        &self.plugins
    }

    /// How many calls can run at a time.
    pub fn concurrency(&self) -> usize {
        self.plugins.iter().map(|plugin| plugin.pool().concurrency()).max().unwrap_or(1)
    }

    /// Takes events through all plugins. Those that were skipped are `None` afterwards.
    pub async fn handle(&self, events: &mut [Option<Event>]) -> Result<(), Stopped> {
        for plugin in &self.plugins {
            plugin.handle(events).await?;
        }
        Ok(())
    }
}
