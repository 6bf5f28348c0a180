//! The pipeline as it runs, pauses, goes on, and ends.

use super::audit::Origin;
use crate::handover::Heir;
use anyhow::{Context, Result};
use host_events::{Event, Pipeline};
use host_proxy::AuditEvent;
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// So many events wait in the pipeline itself: what one turn of it takes, twice.
const PIPELINE: usize = 512;

/// Where events come from.
pub(super) struct Sources {
    pub(super) queue: Receiver<AuditEvent>,
    /// Events of a process that this one has taken over from, until it ends.
    pub(super) handed: Option<Receiver<Event>>,
}

/// How far events are taken from the sources.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// On and on.
    Told,
    /// Those that are there; later ones wait.
    Now,
    /// All that comes until the sources end, and the queue takes no more.
    End,
}

/// A task that takes events from the sources.
pub(super) struct Running {
    until: watch::Sender<Until>,
    task: JoinHandle<(Result<()>, Sources)>,
}

impl Running {
    /// Takes them into a pipeline.
    pub(super) fn pipeline(pipeline: Pipeline, sources: Sources, origin: Arc<Origin>) -> Self {
        let (until, told) = watch::channel(Until::Told);
        Self { until, task: tokio::spawn(run(pipeline, sources, origin, told)) }
    }

    /// Hands them on to another process. It ends with the sources only.
    pub(super) fn forwarding(heir: Heir, sources: Sources, origin: Arc<Origin>) -> Self {
        let (until, told) = watch::channel(Until::Told);
        Self { until, task: tokio::spawn(forward(heir, sources, origin, told)) }
    }

    /// Ends when the pipeline does by itself.
    pub(super) async fn stopped(&mut self) -> Result<()> {
        (&mut self.task).await.context("the pipeline of events has ended")?.0
    }

    /// Lets what is there so far arrive. What comes then waits in the sources.
    pub(super) async fn pause(self) -> Result<(Result<()>, Sources)> {
        self.until.send_replace(Until::Now);
        self.task.await.context("the pipeline of events has ended")
    }

    /// Lets everything arrive.
    pub(super) async fn finish(self) -> Result<()> {
        self.until.send_replace(Until::End);
        self.task.await.context("the pipeline of events has ended")?.0
    }
}

async fn run(
    pipeline: Pipeline,
    mut sources: Sources,
    origin: Arc<Origin>,
    mut told: watch::Receiver<Until>,
) -> (Result<()>, Sources) {
    let (events, source) = channel::<Event>(PIPELINE);
    let pipeline = tokio::spawn(pipeline.run(source));
    tokio::select! {
        () = sources.take(&events, &origin, &mut told) => {}
        // A plugin that must not fail has failed.
        () = events.closed() => sources.queue.close(),
    }
    drop(events);
    let ended = pipeline.await.context("the pipeline of events has ended");
    (ended.and_then(|ended| Ok(ended?)), sources)
}

async fn forward(
    mut heir: Heir,
    mut sources: Sources,
    origin: Arc<Origin>,
    mut told: watch::Receiver<Until>,
) -> (Result<()>, Sources) {
    let (events, mut source) = channel::<Event>(PIPELINE);
    let send = async {
        while let Some(event) = source.recv().await {
            heir.event(String::from_utf8_lossy(event.json()).into_owned()).await?;
        }
        Ok(())
    };
    let take = async {
        sources.take(&events, &origin, &mut told).await;
        drop(events);
    };
    let (sent, ()) = tokio::join!(send, take);
    (sent, sources)
}

impl Sources {
    /// Takes events from the sources for as long as it is told.
    async fn take(
        &mut self,
        events: &Sender<Event>,
        origin: &Origin,
        told: &mut watch::Receiver<Until>,
    ) {
        let (mut own, mut handed) = (Vec::new(), Vec::new());
        let mut open = true;
        while open || self.handed.is_some() {
            let until = *told.borrow_and_update();
            if until == Until::End {
                self.queue.close();
            }
            let now = until == Until::Now;
            if now {
                let room = self.queue.max_capacity();
                drain(&mut self.queue, room, &mut own);
                if let Some(before) = &mut self.handed {
                    drain(before, room, &mut handed);
                }
            } else {
                let from_before = async {
                    match &mut self.handed {
                        Some(before) => before.recv_many(&mut handed, PIPELINE).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    count = self.queue.recv_many(&mut own, PIPELINE), if open => open = count > 0,
                    count = from_before => if count == 0 { self.handed = None },
                    Ok(()) = told.changed() => {}
                }
            }
            for event in own.drain(..).map(|event| origin.event(event)).chain(handed.drain(..)) {
                if events.send(event).await.is_err() {
                    self.queue.close();
                }
            }
            if now {
                return;
            }
        }
    }
}

/// Takes what is there, `most` of it.
fn drain<T>(from: &mut Receiver<T>, most: usize, to: &mut Vec<T>) {
    while to.len() < most
        && let Ok(event) = from.try_recv()
    {
        to.push(event);
    }
}
