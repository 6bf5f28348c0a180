//! How a plugin is asked: about many events in one call if it takes that, and in a call for each if it does
//! not, or if the one call fails.

use super::entry::Entry;
use super::health::Health;
use super::{Answer, EventPlugin, Failure, OnError, Stopped, message};
use crate::codec::CodecError;
use crate::event::Event;
use crate::pool::CallError;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;

/// So many events go into one call at most, and so many bytes of them: a call ends soon enough that
/// no event waits long behind others.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 256 << 10;
/// So many calls are handed to a slot at a time where each event has one of its own.
const CALLS: usize = 64;

impl EventPlugin {
    /// Asks the plugin about events; those that it skips are `None` afterwards. Each keeps its
    /// place. Many go into one call if the plugin can take that.
    pub async fn handle(&self, events: &mut [Option<Event>]) -> Result<(), Stopped> {
        let (one, many) = match &self.entry {
            // What ends all ends it before the next event has its effects: it comes again.
            Entry::Protobuf { one, many: Some(many) } if self.on_error != OnError::Stop => {
                (one, many)
            }
            Entry::Json(one) | Entry::Protobuf { one, .. } => {
                return self.handle_each(one, events).await;
            }
        };
        let mut rest = events;
        while !rest.is_empty() {
            let mut input = Vec::new();
            let (places, count) = fill(rest, &mut input);
            let (batch, behind) = rest.split_at_mut(places);
            // Nothing is gained by a batch of one.
            let output = match count {
                0 | 1 => None,
                _ => self.ask_batch(many, input, count).await,
            };
            match output {
                Some(output) => _ = self.settle_each(batch, message::each(&output))?,
                None => self.handle_each(one, batch).await?,
            }
            rest = behind;
        }
        Ok(())
    }

    /// A call for each event, in the order of the events.
    async fn handle_each(
        &self,
        one: &Arc<str>,
        mut events: &mut [Option<Event>],
    ) -> Result<(), Stopped> {
        let most = if self.on_error == OnError::Stop { 1 } else { CALLS };
        while !events.is_empty() {
            let inputs = events.iter_mut().filter_map(|place| self.input(place).ok().flatten());
            let inputs: Vec<_> = inputs.take(most).collect();
            let answers = self.ask_each(one, inputs).await;
            let done = self.settle_each(events, answers.into_iter())?;
            events = &mut events[done..];
        }
        Ok(())
    }

    /// What the plugin is asked about an event in a call of its own, unless there is none.
    fn input(&self, place: &mut Option<Event>) -> Result<Option<Vec<u8>>, CodecError> {
        let Some(event) = place else { return Ok(None) };
        if let Entry::Json(_) = self.entry {
            return Ok(Some(event.json().to_vec()));
        }
        let one_of = event.one_of()?;
        let mut input = Vec::with_capacity(one_of.len() + 8);
        message::encode_request(one_of, &mut input);
        Ok(Some(input))
    }

    /// Whether it is asked about an event.
    fn is_asked(&self, place: &mut Option<Event>) -> Result<bool, CodecError> {
        match (place, &self.entry) {
            (None, _) => Ok(false),
            (Some(_), Entry::Json(_)) => Ok(true),
            (Some(event), Entry::Protobuf { .. }) => event.one_of().map(|_| true),
        }
    }

    /// One call about many events: as many answers, unless it fails.
    async fn ask_batch(&self, export: &Arc<str>, input: Vec<u8>, count: usize) -> Option<Vec<u8>> {
        let rests = |health: &Health| health.rests(Instant::now()).is_some();
        if rests(&self.health) || rests(&self.batches) {
            return None;
        }
        match self.pool.run(export.clone(), input, Some(count)).await {
            Ok(output) => {
                self.health.succeeded();
                self.batches.succeeded();
                Some(output)
            }
            Err(error) => {
                // What the host refuses, a store that is full, is not the batch's.
                if !matches!(error, CallError::Refused(_) | CallError::Closed) {
                    self.batches.failed(Instant::now());
                }
                if let Some(unlogged) = self.batch_log.allow() {
                    let plugin = &*self.name;
                    tracing::warn!(
                        plugin,
                        unlogged,
                        "the event plugin, asked about {count} events in one call, {error}; it is asked \
                         about each alone"
                    );
                }
                None
            }
        }
    }

    /// A call for each input. There are answers to those up to one that has spoiled the instance, and to
    /// the first in any case.
    async fn ask_each(
        &self,
        export: &Arc<str>,
        inputs: Vec<Vec<u8>>,
    ) -> Vec<Result<Vec<u8>, Failure>> {
        if inputs.is_empty() {
            return Vec::new();
        }
        if let Some(rest) = self.health.rests(Instant::now()) {
            return inputs.iter().map(|_| Err(Failure::Resting(rest))).collect();
        }
        let answers = self.pool.run_each(export.clone(), inputs).await;
        for answer in &answers {
            match answer {
                Ok(_) => self.health.succeeded(),
                Err(error) if error.is_costly() => self.fares_badly(),
                Err(_) => {}
            }
        }
        answers.into_iter().map(|answer| answer.map_err(Failure::from)).collect()
    }

    fn fares_badly(&self) {
        if let Some(rest) = self.health.failed(Instant::now()) {
            let plugin = &*self.name;
            tracing::error!(plugin, "an event plugin fails again and again and rests for {rest:?}");
        }
    }

    /// Does to events what their answers say. Says how many it came past: those before the first that has
    /// no answer.
    fn settle_each(
        &self,
        events: &mut [Option<Event>],
        mut answers: impl Iterator<Item = Result<impl AsRef<[u8]>, Failure>>,
    ) -> Result<usize, Stopped> {
        for (index, place) in events.iter_mut().enumerate() {
            match self.is_asked(place) {
                // What has no form that the plugin could be asked about goes on as it is.
                Err(error) => self.unreadable(&error),
                Ok(false) => {}
                Ok(true) => {
                    let Some(answer) = answers.next() else { return Ok(index) };
                    let answer = answer.and_then(|output| self.read(output.as_ref(), place));
                    self.settle(place, answer)?;
                }
            }
        }
        Ok(events.len())
    }

    /// What the plugin has answered.
    fn read(&self, output: &[u8], place: &mut Option<Event>) -> Result<Answer, Failure> {
        let Some(event) = place else { return Ok(Answer::Skip) };
        let larger = event.check_growth(output.len());
        larger.map_err(|error| garbage(format!("an event that cannot be: {error}")))?;
        match self.entry {
            Entry::Json(_) => read_json(output, event),
            Entry::Protobuf { .. } => {
                let one_of = event.one_of().map_err(|error| garbage(error.to_string()))?;
                Answer::decode(output, one_of).map_err(garbage)
            }
        }
    }
}

/// Writes requests for as many events as one call takes; says how many places and requests that are.
fn fill(events: &mut [Option<Event>], input: &mut Vec<u8>) -> (usize, usize) {
    let mut count = 0;
    for (index, place) in events.iter_mut().enumerate() {
        if count == BATCH || input.len() >= BATCH_BYTES {
            return (index, count);
        }
        if let Some(Ok(one_of)) = place.as_mut().map(Event::one_of) {
            message::encode_delimited(one_of, input);
            count += 1;
        }
    }
    (events.len(), count)
}

/// Reads what a JSON plugin returned.
fn read_json(json: &[u8], event: &Event) -> Result<Answer, Failure> {
    if json.is_empty() {
        return Ok(Answer::Skip);
    }
    if *json == event.json()[..] {
        return Ok(Answer::Keep);
    }
    let object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(json);
    match object {
        Ok(_) => Ok(Answer::Change(Bytes::copy_from_slice(json))),
        Err(error) => Err(garbage(format!("no JSON object: {error}"))),
    }
}

fn garbage(what: impl Into<Arc<str>>) -> Failure {
    CallError::Garbage(what.into()).into()
}
