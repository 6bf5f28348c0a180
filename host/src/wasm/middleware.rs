//! A module as a middleware of the chain.

use super::body::{self, Broken, Taken};
use super::contract::{
    Answer, Bytes, Headers, Input, Measurement, MetricKind, ON_REQUEST, ON_RESPONSE, Reply,
    StepName,
};
use host_events::{CallError, Pool};
use plugin_interface::{Body, Error, Exchange, HostServices, Middleware, Response, Result, Step};
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// A sandboxed middleware. Every call waits for an instance, so all hooks are deferred ones.
pub(super) struct Sandboxed {
    pub(super) pool: Pool,
    /// Metrics and events go the way of those of native plugins.
    pub(super) services: HostServices,
    /// The keys of the values that it is sent.
    pub(super) reads: Vec<String>,
    pub(super) has_request_hook: bool,
    pub(super) has_response_hook: bool,
    /// Bodies beyond this many bytes are not sent.
    pub(super) body_limit: usize,
    /// How long a call may wait for an instance, and then run.
    pub(super) patience: Duration,
    /// How long a body may bring nothing.
    pub(super) idle: Duration,
}

/// What is kept of an exchange between the calls for it.
#[derive(Default)]
struct Kept {
    slot: Option<Box<RawValue>>,
    request_headers: Option<Box<RawValue>>,
    /// It does not want to see the response.
    done: bool,
}

impl Middleware for Sandboxed {
    fn on_request(&self, _: &mut Exchange<'_>) -> Result<Step> {
        Ok(if self.has_request_hook { Step::Defer } else { Step::Next })
    }

    async fn on_request_async(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        let mut kept = Kept::default();
        let step = self.run(exchange, ON_REQUEST, &mut kept).await?;
        if self.has_response_hook {
            exchange.set_slot(kept);
        }
        Ok(step)
    }

    fn on_response(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        if !self.has_response_hook || exchange.slot::<Kept>().is_some_and(|kept| kept.done) {
            return Ok(Step::Next);
        }
        Ok(Step::Defer)
    }

    async fn on_response_async(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        let mut kept = exchange.slot::<Kept>().map(std::mem::take).unwrap_or_default();
        self.run(exchange, ON_RESPONSE, &mut kept).await
    }
}

impl Sandboxed {
    /// Calls a hook: once, or again with the body if it asks for that.
    async fn run(&self, exchange: &mut Exchange<'_>, hook: &str, kept: &mut Kept) -> Result<Step> {
        let mut answer = self.call(exchange, hook, kept, None).await?;
        self.apply(exchange, &mut answer, kept)?;
        if answer.step == StepName::Body {
            let taken = match body::take(exchange, self.body_limit, self.idle).await {
                Ok(taken) => taken,
                Err(broken) => return Ok(Step::Respond(give_up(&broken, hook))),
            };
            answer = self.call(exchange, hook, kept, Some(&taken)).await?;
            if answer.step == StepName::Body {
                return Err(Error::new(format_args!("{hook} asked for the body a second time")));
            }
            if let (Taken::Whole(bytes, trailers), None) = (taken, &answer.body) {
                exchange.set_body(body::restored(bytes, trailers));
            }
            self.apply(exchange, &mut answer, kept)?;
        }
        match answer.step {
            StepName::Respond => match answer.response {
                Some(reply) => Ok(Step::Respond(response(reply))),
                None => Err(Error::new(format_args!("{hook} says \"respond\" without a response"))),
            },
            _ => Ok(Step::Next),
        }
    }

    async fn call(
        &self,
        exchange: &mut Exchange<'_>,
        hook: &str,
        kept: &mut Kept,
        body: Option<&Taken>,
    ) -> Result<Answer> {
        let headers = to_raw_value(&Headers(exchange))?;
        let input = self.input(exchange, &headers, kept, body)?;
        if hook == ON_REQUEST && self.has_response_hook {
            kept.request_headers = Some(headers);
        }
        // Waiting has an end too, or requests would pile up behind a module that is too slow for them.
        let call = self.pool.call::<Vec<u8>>(hook, input);
        let output = tokio::time::timeout(self.patience, call).await.map_err(|_| {
            let patience = self.patience;
            Error::new(format_args!(
                "all its instances were busy; it got no answer in {patience:?}"
            ))
        })?;
        let output = output.map_err(|error| error_of(hook, &error))?;
        if output.is_empty() {
            return Ok(Answer::default());
        }
        serde_json::from_slice(&output)
            .map_err(|error| Error::new(format_args!("what {hook} returned is not right: {error}")))
    }

    fn input(
        &self,
        exchange: &Exchange<'_>,
        headers: &RawValue,
        kept: &Kept,
        body: Option<&Taken>,
    ) -> Result<Vec<u8>> {
        let value = |key| exchange.value(key).map(|value| (key, value));
        let values: BTreeMap<_, _> =
            self.reads.iter().map(String::as_str).filter_map(value).collect();
        let status = Some(exchange.status()).filter(|status| *status != 0);
        let input = Input {
            method: exchange.method(),
            scheme: exchange.scheme(),
            authority: exchange.authority(),
            path: exchange.path(),
            query: exchange.query(),
            peer: exchange.peer(),
            identity: exchange.identity(),
            values,
            status,
            headers,
            request_headers: status.and(kept.request_headers.as_deref()),
            slot: kept.slot.as_deref(),
            body: match body {
                Some(Taken::Whole(bytes, _)) => Some(Bytes(Cow::Borrowed(bytes))),
                _ => None,
            },
            body_too_large: matches!(body, Some(Taken::TooLarge)),
        };
        Ok(serde_json::to_vec(&input)?)
    }

    /// Makes the changes that an answer asks for. What the host refuses, as it would a native plugin,
    /// is an error.
    fn apply(
        &self,
        exchange: &mut Exchange<'_>,
        answer: &mut Answer,
        kept: &mut Kept,
    ) -> Result<()> {
        for name in &answer.remove_headers {
            exchange.remove_header(name);
        }
        for (name, value) in &answer.set_headers {
            exchange.set_header(name, &value.0)?;
        }
        for (name, value) in &answer.append_headers {
            exchange.append_header(name, &value.0)?;
        }
        if let Some(method) = &answer.set_method {
            exchange.set_method(method)?;
        }
        if let Some(target) = &answer.set_target {
            exchange.set_target(target)?;
        }
        if let Some(origin) = &answer.set_upstream {
            exchange.set_upstream(origin)?;
        }
        if let Some(status) = answer.set_status {
            exchange.set_status(status)?;
        }
        if let Some(Bytes(bytes)) = answer.body.take() {
            exchange.set_body(Body::from_owner(bytes));
        }
        for (key, value) in &answer.values {
            exchange.set_value(key, value);
        }
        for measurement in &answer.metrics {
            record(&self.services, measurement)?;
        }
        for event in &answer.events {
            self.services.emit(event.get())?;
        }
        if answer.slot.is_some() {
            kept.slot = answer.slot.take();
        }
        if let Some(wanted) = answer.on_response {
            kept.done = !wanted;
        }
        Ok(())
    }
}

/// Counts what a module has measured; with no value, only makes the metric show.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count below zero is none
pub(super) fn record(services: &HostServices, measurement: &Measurement) -> Result<()> {
    let Measurement { kind, name, help, labels, value } = measurement;
    let labels: Vec<_> = labels.iter().map(|(key, value)| (&**key, &**value)).collect();
    match kind {
        MetricKind::Counter => {
            let counter = services.counter(name, help, &labels)?;
            counter.add(value.unwrap_or_default() as u64);
        }
        MetricKind::Gauge => {
            let gauge = services.gauge(name, help, &labels)?;
            if let Some(value) = value {
                gauge.set(*value);
            }
        }
        MetricKind::Histogram => {
            let histogram = services.histogram(name, help, &labels)?;
            if let Some(value) = value {
                histogram.observe(*value);
            }
        }
    }
    Ok(())
}

fn response(reply: Reply) -> Response {
    let response = Response::new(reply.status).body(Body::from_owner(reply.body.0));
    let headers = reply.headers.into_iter();
    headers.fold(response, |response, (name, value)| response.header(&name, value.0))
}

/// The answer where there is no body to show to the module: that is not its fault.
fn give_up(broken: &Broken, hook: &str) -> Response {
    let (status, reason) = match (broken, hook == ON_REQUEST) {
        (Broken::Idle(_), true) => (408, "Request Timeout"),
        (Broken::Failed(_), true) => (400, "Bad Request"),
        (Broken::Idle(_), false) => (504, "Gateway Timeout"),
        (Broken::Failed(_), false) => (502, "Bad Gateway"),
    };
    match broken {
        Broken::Idle(limit) => {
            tracing::warn!(status, "a body was cut off: nothing came for {limit:?}")
        }
        Broken::Failed(error) => tracing::warn!(status, "a body was cut off: {error}"),
    }
    Response::text(status, format!("{status} {reason}\n"))
}

/// In one line: a trap tells its backtrace in many.
fn error_of(hook: &str, error: &CallError) -> Error {
    let text = error.to_string();
    let words: Vec<_> = text.split_whitespace().collect();
    Error::new(format_args!("{hook} {}", words.join(" ")))
}
