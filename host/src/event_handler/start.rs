//! `host event-handler start`: everything is opened, put together, run, and ended in order.

use super::admin;
use super::cluster_locks::{ClusterLocks, LockMetrics, Outbox, Stays};
use super::config::{Config, From};
use super::pipeline::Pipeline;
use super::plugins::{self, Kept};
use super::sinks;
use super::source::{Incoming, LineSource};
use super::watch::{Meter, Watch};
use crate::proxy::{bind, shutdown};
use anyhow::{Context, Result};
use host_delivery::Delivery;
use host_teleport::Source;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Events between the source and the pipeline.
const QUEUE: usize = 1024;
/// The folder of what the original does not have, in that of the state; it passes over names with a dot.
const FOLDER: &str = ".tenon";
/// When everything has been delivered: for the journals, and for locks that the cluster lacks.
const END: Duration = Duration::from_secs(5);

/// Brings events from where they are to where they go, until there are no more or it is told to end.
pub(crate) async fn start(config: Config) -> Result<()> {
    let mut told = Box::pin(shutdown()?);
    let watch = Arc::new(Watch::default());
    let mut registry = Registry::default();
    let door = match config.admin {
        Some(place) => Some(bind(place, "--admin").await?),
        None => None,
    };
    let folder = config.state.as_ref().map(|state| state.join(FOLDER));
    let kept = Kept::open(folder.as_deref())?;
    let stays = match config.from {
        _ if config.dry_run => Some(Stays::DryRun),
        From::Teleport(_) => None,
        From::Lines(_) => Some(Stays::NoCluster),
    };
    let locks = Arc::new(ClusterLocks::new(kept.locks.clone(), kept.store.clone(), stays));
    let counts = host_events::Metrics::default();
    // Probes are answered from here on, and metrics once all of them are there.
    let metrics = admin::Metrics::default();
    if let Some(door) = door {
        tracing::info!("metrics and probes are at http://{}", door.local_addr()?);
        tokio::spawn(admin::serve(door, watch.clone(), metrics.clone()));
    }
    let loading = plugins::load(&config, folder.as_deref(), &kept, locks.clone(), &counts);
    let chain = tokio::select! {
        chain = loading => chain?,
        () = &mut told => return Ok(()), // compiling takes its time
    };
    let delivery = sinks::deliver(&config, folder.as_deref())?;
    counts.register_plugins(&mut registry);
    delivery.metrics().register(&mut registry);
    let lock_metrics = LockMetrics::default();
    lock_metrics.register(&mut registry);

    let stop = CancellationToken::new();
    let opened = tokio::select! {
        opened = open(&config, &stop) => opened?,
        () = &mut told => return Ok(()),
    };
    let (reading, meter, locker) = opened;
    meter.register(&mut registry);
    metrics.set(registry);
    let outbox = locker.map(|locker| Arc::new(locks.outbox(locker, lock_metrics)));
    let sending = outbox.as_ref().map(|outbox| tokio::spawn(outbox.clone().run()));
    watch.started(meter, &delivery, chain.plugins());
    let pipeline = Pipeline::new(chain, config.failed_logins, locks, &delivery);
    let Reading { events, task } = reading;
    let passing = async {
        match events {
            Events::Teleport(events) => pipeline.run(events).await,
            Events::Lines(events) => pipeline.run(events).await,
        }
    };
    let ended = until_the_end(passing, task, told, &stop, &watch, &delivery).await;
    if let Some(sending) = sending {
        sending.abort();
    }
    finish(delivery, outbox, &watch).await;
    kept.close();
    ended
}

/// A source that runs: what it reads, and its end.
struct Reading {
    events: Events,
    task: JoinHandle<Result<()>>,
}

enum Events {
    Teleport(Receiver<host_teleport::Read>),
    Lines(Receiver<Incoming>),
}

async fn open(
    config: &Config,
    stop: &CancellationToken,
) -> Result<(Reading, Meter, Option<host_teleport::Locker>)> {
    Ok(match &config.from {
        From::Teleport(teleport) => {
            let source = Source::open((**teleport).clone()).await?;
            let (meter, locker) = (Meter::Teleport(source.metrics().clone()), source.locker());
            let (out, events) = channel(QUEUE);
            let running = source.run(out, stop.clone());
            let task = tokio::spawn(async move { Ok(running.await?) });
            (Reading { events: Events::Teleport(events), task }, meter, locker)
        }
        From::Lines(lines) => {
            let (lines, state) = (lines.clone(), config.state.clone());
            // A pipe that nobody writes to is not there yet.
            let opening =
                tokio::task::spawn_blocking(move || LineSource::open(lines, state.as_deref()));
            let source = opening.await.context("the source cannot be opened").flatten()?;
            let meter = Meter::Lines(source.metrics());
            let (out, events) = channel(QUEUE);
            let task = tokio::spawn(source.run(out, stop.clone()));
            (Reading { events: Events::Lines(events), task }, meter, None)
        }
    })
}

/// The source ends last: it waits for what it has read, as long as it makes sense. The first signal lets
/// it read no more.
async fn until_the_end(
    passing: impl Future<Output = Result<()>>,
    mut reading: JoinHandle<Result<()>>,
    mut told: impl Future<Output = ()> + Unpin,
    stop: &CancellationToken,
    watch: &Watch,
    delivery: &Delivery,
) -> Result<()> {
    let mut passing = Box::pin(passing);
    let mut ticks = tokio::time::interval(Watch::EVERY);
    let (mut passed, mut draining) = (None, false);
    let read = loop {
        tokio::select! {
            result = &mut passing, if passed.is_none() => {
                if result.is_err() {
                    stop.cancel();
                }
                passed = Some(result);
            }
            read = &mut reading => break read.context("reading has ended").flatten(),
            _ = ticks.tick() => watch.look(delivery),
            () = &mut told, if !draining => {
                draining = true;
                watch.draining();
                stop.cancel();
            }
        }
    };
    // A batch that a plugin has stopped at is given up before its error is known: the source may have
    // ended by then. Once that has ended by itself nothing is left that could hold the pipeline up.
    if passed.is_none() && !draining {
        passed = match read {
            Ok(()) => Some(passing.await),
            // What has stopped the source may be what has stopped it all.
            Err(_) => timeout(END, passing).await.ok(),
        };
    }
    watch.look(delivery);
    passed.unwrap_or(Ok(())).and(read)
}

async fn finish(delivery: Delivery, outbox: Option<Arc<Outbox>>, watch: &Watch) {
    if let Some(outbox) = outbox
        && timeout(END, outbox.send()).await != Ok(true)
    {
        tracing::warn!("the cluster lacks locks: they are made at the next start");
    }
    let left = delivery.finish(Duration::ZERO).await;
    for (sink, waiting) in &left.sinks {
        tracing::warn!(
            sink,
            "{waiting} events have not arrived at {sink}: the next start brings them"
        );
    }
    watch.ended();
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;
    use std::future::pending;
    use tokio::task::yield_now;

    #[tokio::test]
    async fn a_plugin_that_stops_it_counts_although_the_source_ends_before() {
        let delivery = Delivery::start(vec![sinks::nowhere()], None).unwrap();
        let passing = async {
            // The source is done after the first of these.
            for _ in 0..100 {
                yield_now().await;
            }
            Err::<(), _>(anyhow!("a plugin has stopped it"))
        };
        let reading = tokio::spawn(async { anyhow::Ok(()) });
        let (stop, watch) = (CancellationToken::new(), Watch::default());
        let told = pending::<()>();
        let ended = until_the_end(passing, reading, told, &stop, &watch, &delivery).await;
        assert_eq!(ended.unwrap_err().to_string(), "a plugin has stopped it");
    }
}
