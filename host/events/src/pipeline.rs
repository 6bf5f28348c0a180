//! The way of events: from a source, through the plugins, into the sinks.

use crate::chain::Chain;
use crate::event::Event;
use crate::metrics::Metrics;
use crate::plugin::Stopped;
use crate::sink::Sink;
use arc_swap::ArcSwap;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use host_lines::LogLimit;
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;

/// So many events travel together at most. While all plugins are busy events queue up, and what has
/// queued up travels together: nothing ever waits to be joined by others.
const BATCH: usize = 256;

/// Where events go, and what they pass on their way.
pub struct Pipeline {
    chain: Arc<ArcSwap<Chain>>,
    sinks: Vec<Box<dyn Sink>>,
    metrics: Metrics,
    log: LogLimit,
}

impl Pipeline {
    /// A pipeline. Each sink gets each event, in the order in which they came.
    pub fn new(chain: Chain, sinks: Vec<Box<dyn Sink>>, metrics: Metrics) -> Self {
        Self::around(Arc::new(ArcSwap::from_pointee(chain)), sinks, metrics)
    }

    /// A pipeline around a chain that another one has passed before.
    pub fn around(chain: Arc<ArcSwap<Chain>>, sinks: Vec<Box<dyn Sink>>, metrics: Metrics) -> Self {
        Self { chain, sinks, metrics, log: LogLimit::default() }
    }

    /// Where the chain is that events pass: what is stored there is passed by those that come then. A
    /// batch keeps the chain that it began with, and arrives in its order.
    pub fn chain(&self) -> Arc<ArcSwap<Chain>> {
        self.chain.clone()
    }

    /// Runs until the source has ended and every event has arrived, or until a plugin fails whose
    /// configuration says to stop then.
    pub async fn run(mut self, mut source: Receiver<Event>) -> Result<(), Stopped> {
        let mut under_way = FuturesOrdered::new();
        let mut open = true;
        while open || !under_way.is_empty() {
            let mut events = Vec::new();
            let most = self.chain.load().batches();
            tokio::select! {
                biased;
                Some(handled) = under_way.next() => {
                    if let Err(stopped) = self.deliver(handled).await {
                        let batches = under_way.len();
                        let waiting = source.len();
                        tracing::error!(batches, waiting, "events on their way end here: {stopped}");
                        return Err(stopped);
                    }
                }
                count = source.recv_many(&mut events, BATCH), if open && under_way.len() < most => {
                    open = count > 0;
                    self.metrics.received.inc_by(count as u64);
                    if open {
                        under_way.push_back(tokio::spawn(handle(self.chain.load_full(), events)));
                    }
                }
            }
        }
        Ok(())
    }

    async fn deliver(
        &mut self,
        handled: Result<Result<Vec<Event>, Stopped>, tokio::task::JoinError>,
    ) -> Result<(), Stopped> {
        let events = match handled {
            Ok(handled) => handled?,
            // Only if the runtime ends, or by a mistake of ours, which the panic hook has logged.
            Err(error) => {
                tracing::error!("events were lost on their way: {error}");
                return Ok(());
            }
        };
        if events.is_empty() {
            return Ok(());
        }
        let events: Arc<[Event]> = events.into();
        for sink in &mut self.sinks {
            let labels = [("sink", sink.name().to_owned())];
            match sink.deliver(events.clone()).await {
                Ok(()) => {
                    self.metrics.delivered.get_or_create(&labels).inc_by(events.len() as u64);
                }
                Err(error) => {
                    self.metrics.lost.get_or_create(&labels).inc_by(events.len() as u64);
                    if let Some(unlogged) = self.log.allow() {
                        let lost = events.len();
                        tracing::error!(lost, unlogged, "{}: {error}", sink.name());
                    }
                }
            }
        }
        Ok(())
    }
}

async fn handle(chain: Arc<Chain>, events: Vec<Event>) -> Result<Vec<Event>, Stopped> {
    let mut events: Vec<_> = events.into_iter().map(Some).collect();
    chain.handle(&mut events).await?;
    Ok(events.into_iter().flatten().collect())
}
