//! Several plugins in a row.

use crate::event::Event;
use crate::plugin::{EventPlugin, OnError, Stopped};
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

    /// How many batches of events should be under way: one more than can be in plugins, so that an
    /// instance never waits for the next; one alone if a failure of a plugin ends everything, for what
    /// comes behind is not to have had its effects by then.
    pub fn batches(&self) -> usize {
        if self.plugins.iter().any(|plugin| plugin.on_error() == OnError::Stop) {
            return 1;
        }
        self.plugins.iter().map(|plugin| plugin.pool().concurrency()).max().unwrap_or(1) + 1
    }

    /// Takes events through all plugins. Those that were skipped are `None` afterwards.
    pub async fn handle(&self, events: &mut [Option<Event>]) -> Result<(), Stopped> {
        for plugin in &self.plugins {
            plugin.handle(events).await?;
        }
        Ok(())
    }
}
