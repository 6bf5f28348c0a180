//! The way of events: read, through the plugins, on to the sinks.

use super::failed_logins::FailedLogins;
use super::source::{Done, Head, Incoming};
use anyhow::{Context, Result};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use host_delivery::{Delivery, Item};
use host_events::locks::Locks;
use host_events::{Chain, Event, Stopped};
use proto::types::LockV2;
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;

/// So many events travel together at most: what has queued up, nothing waits to be joined by others.
const BATCH: usize = 256;

/// What events pass.
pub(crate) struct Pipeline<'a> {
    chain: Arc<Chain>,
    failed_logins: Option<FailedLogins>,
    locks: Arc<dyn Locks>,
    delivery: &'a Delivery,
}

impl<'a> Pipeline<'a> {
    pub(crate) fn new(
        chain: Chain,
        failed_logins: Option<FailedLogins>,
        locks: Arc<dyn Locks>,
        delivery: &'a Delivery,
    ) -> Self {
        Self { chain: Arc::new(chain), failed_logins, locks, delivery }
    }

    /// Runs until nothing more comes and all is on its way to the sinks, or until a plugin fails whose
    /// configuration says to stop then. Events that it drops are not done: they come again.
    ///
    /// Several batches are in plugins at a time, and go on in the order in which they came.
    pub(crate) async fn run<T: Into<Incoming>>(mut self, mut source: Receiver<T>) -> Result<()> {
        let most = self.chain.batches();
        let mut under_way = FuturesOrdered::new();
        let mut open = true;
        let mut taken = Vec::with_capacity(BATCH);
        while open || !under_way.is_empty() {
            tokio::select! {
                biased;
                Some(handled) = under_way.next() => self.deliver(handled?).await,
                count = source.recv_many(&mut taken, BATCH), if open && under_way.len() < most => {
                    open = count > 0;
                    if open {
                        let batch: Vec<Incoming> = taken.drain(..).map(Into::into).collect();
                        under_way.push_back(self.handle(batch));
                    }
                }
            }
        }
        Ok(())
    }

    async fn deliver(&self, items: Vec<Item>) {
        for item in items {
            self.delivery.send(item).await;
        }
    }

    /// Takes a batch through the plugins, on a task of its own.
    fn handle(&mut self, batch: Vec<Incoming>) -> impl Future<Output = Result<Vec<Item>>> + use<> {
        // Counted here, in the order of events.
        let look = |event: &Incoming| {
            self.failed_logins.as_mut()?.look(&event.kind, &event.json, event.time)
        };
        let made: Vec<LockV2> = batch.iter().filter_map(look).collect();
        let (chain, locks) = (self.chain.clone(), self.locks.clone());
        let task: JoinHandle<Result<_, Stopped>> = tokio::spawn(async move {
            if !made.is_empty() {
                // Waits for the disk: the cursor does not pass an event whose lock could be lost.
                let task = tokio::task::spawn_blocking(move || make(&*locks, made));
                let _ = task.await; // it does not panic
            }
            pass(&chain, batch).await
        });
        async move {
            let handled = task.await.context("events were lost on their way")?;
            Ok(handled?)
        }
    }
}

fn make(locks: &dyn Locks, made: Vec<LockV2>) {
    for lock in made {
        let target = lock.spec.as_ref().and_then(|spec| spec.target.clone()).unwrap_or_default();
        let (user, login) = (target.user, target.login);
        match locks.upsert(lock) {
            // Whether the lock is made, and where, says who makes it.
            Ok(()) => tracing::warn!(user, login, "too many failed logins"),
            Err(error) => tracing::error!(user, login, "too many failed logins, and {error}"),
        }
    }
}

async fn pass(chain: &Chain, batch: Vec<Incoming>) -> Result<Vec<Item>, Stopped> {
    let mut events: Vec<_> = batch.iter().map(|it| Some(Event::new(it.json.clone()))).collect();
    chain.handle(&mut events).await?;
    let handled = batch.into_iter().zip(events).filter_map(|(read, event)| match event {
        Some(event) => Some(item(read, &event)),
        // A plugin skips it: that is all that will ever become of it.
        None => {
            read.done.done();
            None
        }
    });
    Ok(handled.collect())
}

fn item(read: Incoming, event: &Event) -> Item {
    let Incoming { kind, uid, time, session, done, .. } = read;
    let json = event.json().clone();
    // The uid stays that of what was read, as it tells what has been delivered from what has not.
    let changed = event.is_changed().then(|| Head::of(&json).ok()).flatten();
    let kind = changed.map_or(kind, |head| head.kind.into());
    Item { kind, uid, time, session, done: Box::new(move || Done::done(done)), json }
}
