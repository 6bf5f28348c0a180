//! The way of events to one sink.

use super::dead_letters::DeadLetters;
use super::gate::Gate;
use super::journal::Journal;
use super::memory::{Memory, Seen};
use super::window::Room;
use crate::event::{Event, Key};
use crate::metrics::SinkMetrics;
use crate::sink::{Failure, Later, Limits, Sink};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use host_lines::LogLimit;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep_until;

/// Events that are delivered together.
type Batch = Vec<Arc<Event>>;

/// What a sink has beside its queue.
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) sink: Box<dyn Sink>,
    pub(super) room: Room,
    pub(super) gate: Gate,
    pub(super) metrics: SinkMetrics,
    pub(super) memory: Mutex<Memory>,
    /// None without a state folder.
    pub(super) journal: Option<Mutex<Journal>>,
    pub(super) dead_letters: Arc<DeadLetters>,
    pub(super) log: LogLimit,
}

impl Lane {
    /// Delivers what comes until nothing more does and everything has arrived.
    ///
    /// What has queued up travels together: nothing waits to be joined by others. The batches under
    /// way are in the order in which they were begun, and the first of them holds its place until it
    /// has arrived: that is what keeps the others from overtaking it by more than their number.
    pub(super) async fn run(self: Arc<Self>, mut queue: UnboundedReceiver<Arc<Event>>) {
        let mut limits = self.sink.limits();
        limits.connections = limits.connections.max(1);
        limits.events = limits.events.max(1);
        let mut under_way = FuturesOrdered::new();
        let mut batches = VecDeque::new();
        let mut taken = Vec::new();
        let mut open = true;
        while open || !under_way.is_empty() {
            tokio::select! {
                biased;
                Some(()) = under_way.next() => {}
                count = queue.recv_many(&mut taken, limits.events),
                    if open && batches.is_empty() && under_way.len() < limits.connections =>
                {
                    open = count > 0;
                    self.leave_out_known(&mut taken);
                    batches = self.batches(taken.drain(..), limits);
                }
            }
            while under_way.len() < limits.connections
                && let Some(batch) = batches.pop_front()
            {
                under_way.push_back(self.bring(batch));
            }
        }
    }

    /// Events of one destination each, in their order.
    fn batches(&self, events: impl Iterator<Item = Arc<Event>>, limits: Limits) -> VecDeque<Batch> {
        let mut batches: VecDeque<(Batch, usize)> = VecDeque::new();
        for event in events {
            let size = event.json().len();
            // The last one of its destination: there are few, since few events are taken at a time.
            let same = batches.iter_mut().rev().find(|(batch, _)| {
                let there = batch.first().map(|first| self.sink.destination(first));
                there == Some(self.sink.destination(&event))
            });
            match same {
                Some((batch, bytes)) if *bytes + size <= limits.bytes => {
                    *bytes += size;
                    batch.push(event);
                }
                _ => batches.push_back((vec![event], size)),
            }
        }
        batches.into_iter().map(|(batch, _)| batch).collect()
    }

    /// Tries until everything of a batch has arrived, here or among the dead letters.
    async fn bring(&self, batch: Batch) {
        // What is still to be brought, the first last. One refused by the sink is halved, to find
        // the event to blame.
        let mut parts = vec![batch];
        let mut tries = 0;
        while let Some(mut part) = parts.pop() {
            let pass = self.gate.pass().await;
            let later = match self.sink.deliver(&part).await {
                Ok(()) => {
                    self.gate.succeeded();
                    self.metrics.succeeded(part.len());
                    self.acknowledge(&part);
                    continue;
                }
                Err(Failure::Later(later)) => later,
                Err(Failure::Refused(_)) if part.len() > 1 => {
                    self.gate.succeeded(); // it answers
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                    continue;
                }
                Err(Failure::Refused(reason)) => match self.bury(&part, &reason).await {
                    Ok(()) => {
                        self.gate.succeeded();
                        continue;
                    }
                    Err(later) => later,
                },
                Err(Failure::Partly { later, refused }) => {
                    let Some((rest, later)) = self.partly(&part, later, refused).await else {
                        continue;
                    };
                    part = rest;
                    later
                }
            };
            tries += 1;
            self.metrics.retried.inc();
            let until = self.gate.failed(&pass, &later, tries);
            drop(pass);
            parts.push(part);
            sleep_until(until).await;
        }
    }

    /// What is left to bring of a batch of which some events have arrived.
    async fn partly(
        &self,
        batch: &[Arc<Event>],
        later: Option<(Vec<usize>, Later)>,
        refused: Vec<(usize, String)>,
    ) -> Option<(Batch, Later)> {
        let (again, mut why) = later.map_or((Vec::new(), None), |(again, why)| (again, Some(why)));
        let mut left = vec![false; batch.len()];
        for index in again {
            left[index] = true;
        }
        let mut arrived = vec![true; batch.len()];
        for (index, reason) in refused {
            arrived[index] = false;
            let one = std::slice::from_ref(&batch[index]);
            if let Err(later) = self.bury(one, &reason).await {
                left[index] = true;
                why = Some(later);
            }
        }
        let chosen = |which: &dyn Fn(usize) -> bool| -> Batch {
            let chosen = batch.iter().enumerate().filter(|(index, _)| which(*index));
            chosen.map(|(_, event)| event.clone()).collect()
        };
        let arrived = chosen(&|index| arrived[index] && !left[index]);
        if !arrived.is_empty() {
            self.metrics.succeeded(arrived.len());
            self.acknowledge(&arrived);
        }
        match why {
            Some(later) => Some((chosen(&|index| left[index]), later)),
            None => {
                self.gate.succeeded();
                None
            }
        }
    }

    /// Puts events among the dead letters, where they have arrived as well.
    async fn bury(&self, events: &[Arc<Event>], reason: &str) -> Result<(), Later> {
        for event in events {
            let put = self.dead_letters.put(&self.name, event, reason).await;
            put.map_err(|reason| Later { reason, wait: None, mend: true })?;
            self.metrics.dead_letters.inc();
            self.acknowledge(std::slice::from_ref(event));
        }
        Ok(())
    }

    /// Takes events out that the sink has had.
    fn leave_out_known(&self, events: &mut Batch) {
        let mut again = Vec::new();
        let mut twice = Vec::new();
        {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            events.retain(|event| {
                match event.key().map_or(Seen::Never, |key| memory.look(key)) {
                    Seen::Never => return true,
                    Seen::Before => again.push(event.clone()),
                    Seen::Twice => twice.push(event.clone()),
                }
                false
            });
        }
        self.metrics.duplicates.inc_by((again.len() + twice.len()) as u64);
        // Into the new journal with those of the old one: the cursor is not past them yet.
        self.acknowledge(&again);
        self.arrived(&twice);
    }

    /// The sink has them: that is written down before anybody hears of it.
    fn acknowledge(&self, events: &[Arc<Event>]) {
        if let Some(journal) = &self.journal {
            let keys: Vec<Key> = events.iter().filter_map(|event| event.key()).collect();
            let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            // A few bytes into the kernel's cache: less than handing it to another thread.
            if let Err(error) = journal.append(&keys)
                && let Some(unlogged) = self.log.allow()
            {
                tracing::warn!(
                    sink = self.name,
                    unlogged,
                    "the journal of {} cannot be written, events may arrive twice after a restart: \
                     {error}",
                    self.name
                );
            }
            if journal.has_turned_over() {
                self.memory.lock().unwrap_or_else(PoisonError::into_inner).forget_before();
            }
        }
        self.arrived(events);
    }

    fn arrived(&self, events: &[Arc<Event>]) {
        for event in events {
            self.room.leave(event.size());
            event.arrived();
        }
        self.metrics.waiting.dec_by(i64::try_from(events.len()).unwrap_or(i64::MAX));
    }
}
