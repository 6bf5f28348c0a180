//! A call of a plugin, measured and held to the plugin's policy.

use super::stats::Decision;
use super::switch::Position;
use super::{OnPanic, Stage};
use crate::span::under;
use pin_project_lite::pin_project;
use plugin_interface::{Error, ErrorKind};
use quanta::Instant;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

/// How far a request has come, for the calls that follow.
pub(crate) struct Progress {
    /// When the last call ended: the next begins with it. One look at the clock is for both.
    at: Instant,
    /// The links that were not called on the way down, or whose call was as if it had not been:
    /// they do not see the response.
    without: Vec<usize>,
    /// The plugins that this request tries although their breakers are open.
    attempts: Vec<Arc<Stage>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { at: Instant::now(), without: Vec::new(), attempts: Vec::new() }
    }

    /// The time that has passed since the last call was no plugin's.
    pub(crate) fn resume(&mut self) {
        self.at = Instant::now();
    }

    /// The request has gone on without this link.
    pub(crate) fn went_without(&mut self, link: usize) {
        self.without.push(link);
    }

    /// Whether the response is to go on without it, too.
    pub(crate) fn is_without(&self, link: usize) -> bool {
        self.without.contains(&link)
    }

    /// The request has its response, and every plugin has seen both: what it tried goes well.
    pub(crate) fn finish(&mut self) {
        for stage in self.attempts.drain(..) {
            stage.recovered();
        }
    }
}

/// Whether a plugin is called for a request.
pub(crate) enum Admission<'a> {
    /// It is.
    Call(Call<'a>),
    /// The request goes on without it.
    Without,
    /// It is not, and the request cannot go on without it: its breaker is open.
    Refused,
}

/// What becomes of a request whose plugin has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It fails.
    Fail,
    /// It goes on as if the plugin were not there.
    Bypass,
}

impl Stage {
    /// Begins a call, if there is to be one.
    pub(crate) fn admit<'a>(self: &'a Arc<Self>, progress: &mut Progress) -> Admission<'a> {
        let attempt = match self.switch.position() {
            Position::On => false,
            Position::Open if self.is_attempt(progress) => true,
            position => {
                self.life.stats().count_not_called();
                let bypass = position == Position::Off || self.policy.on_panic == OnPanic::Bypass;
                return if bypass { Admission::Without } else { Admission::Refused };
            }
        };
        let (started, stage) = (progress.at, &**self);
        Admission::Call(Call {
            stage,
            attempt,
            started,
            own: None,
            waited: false,
            slow: false,
            overdue: None,
        })
    }

    #[cold]
    fn is_attempt(self: &Arc<Self>, progress: &mut Progress) -> bool {
        if progress.attempts.iter().any(|stage| Arc::ptr_eq(stage, self)) {
            return true;
        }
        let may = self.switch.may_try();
        if may {
            progress.attempts.push(self.clone());
        }
        may
    }

    #[cold]
    fn is_slow(&self, time: Duration, still_waits: bool) {
        self.life.stats().count_slow();
        let Some(left_out) = self.slow_lines.turn() else { return };
        let (name, place) = (&self.plugin.info.name, self.place);
        let what = if still_waits { "has been waiting for" } else { "took" };
        under(|| {
            tracing::warn!(
                plugin = name.as_str(),
                place = place.as_str(),
                left_out,
                "{name} is slow: it {what} {time:?} in one step"
            );
        });
    }

    /// Counts a failure with the breaker.
    #[cold]
    fn count_for_breaker(&self, attempt: bool, error: &Error) {
        let Some(breaker) = &self.policy.breaker else { return };
        let opened = self.switch.failed(breaker, attempt, error.message(), &self.life);
        let Some(opened) = opened else { return };
        self.life.stats().count_opened();
        let (name, rest) = (&self.plugin.info.name, opened.rest);
        match opened.again {
            true => tracing::warn!("{name} was tried and failed; it rests for {rest:?}: {error}"),
            false => tracing::error!(
                "{name} is disabled by its breaker: {} failures within {:?}; it rests for {rest:?}",
                breaker.failures,
                breaker.window
            ),
        }
    }

    #[cold]
    fn recovered(&self) {
        if self.switch.recovered(&self.life) {
            tracing::info!("{} was tried and works: it is called again", self.plugin.info.name);
        }
    }
}

/// One call, from [`Stage::admit`] to [`Call::decided`] or [`Call::failed`]. One that is dropped in
/// between, since its request was given up, is not counted.
pub(crate) struct Call<'a> {
    stage: &'a Stage,
    /// Whether it tries a plugin whose breaker is open.
    attempt: bool,
    started: Instant,
    /// The time that the plugin's code ran, if that is not all of the time.
    own: Option<Duration>,
    /// Whether it was not ready at once.
    waited: bool,
    /// Whether that it is slow was said.
    slow: bool,
    /// The deadline, if it is over.
    overdue: Option<Duration>,
}

impl Call<'_> {
    /// Waits for what a hook has deferred, no longer than the policy allows: then the future is
    /// dropped, and the result is an error.
    pub(crate) async fn wait<T: From<Error>>(&mut self, step: impl Future<Output = T>) -> T {
        let mut step = pin!(Measured { own: self.started.elapsed(), future: step });
        let result = self.wait_measured(step.as_mut()).await;
        self.own = Some(*step.project().own);
        result
    }

    async fn wait_measured<T: From<Error>>(
        &mut self,
        mut step: Pin<&mut impl Future<Output = T>>,
    ) -> T {
        // What is ready at once needs no timer.
        if let Poll::Ready(result) = poll_fn(|cx| Poll::Ready(step.as_mut().poll(cx))).await {
            return result;
        }
        self.waited = true;
        let policy = &self.stage.policy;
        if let Some(slow) = policy.slow
            && policy.deadline.is_none_or(|deadline| slow < deadline)
        {
            if let Ok(result) = timeout(self.left(slow), step.as_mut()).await {
                return result;
            }
            self.slow = true;
            self.stage.is_slow(slow, true);
        }
        let Some(limit) = policy.deadline else { return step.await };
        match timeout(self.left(limit), step).await {
            Ok(result) => result,
            Err(_) => {
                self.overdue = Some(limit);
                Error::new(format_args!("it has not ended its step within {limit:?}")).into()
            }
        }
    }

    fn left(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.started.elapsed())
    }

    /// The deadline, if it has ended the call.
    pub(crate) fn overdue(&self) -> Option<Duration> {
        self.overdue
    }

    /// It has ended with a decision.
    pub(crate) fn decided(self, progress: &mut Progress, decision: Decision) {
        self.end(progress, decision);
        // Middlewares have yet to see the response.
        if self.attempt && self.stage.is_called_once() {
            self.stage.recovered();
        }
    }

    /// It has ended with a failure. Only a plugin that gave no answer, for it panicked or was cut
    /// off, is bypassed: an error is an answer. `usable` says whether the exchange is whole
    /// without it.
    #[cold]
    pub(crate) fn failed(self, progress: &mut Progress, error: &Error, usable: bool) -> Fate {
        let stats = self.stage.life.stats();
        let panicked = error.kind() == ErrorKind::PANICKED;
        if panicked {
            stats.count_panic();
        } else {
            stats.count_error();
        }
        if self.overdue.is_some() {
            stats.count_overdue();
            if !self.slow {
                stats.count_slow();
            }
        }
        let no_answer = panicked || self.overdue.is_some();
        let bypass = no_answer && usable && self.stage.policy.on_panic == OnPanic::Bypass;
        let (fate, decision) = match bypass {
            true => (Fate::Bypass, Decision::Bypass),
            false => (Fate::Fail, Decision::Fail),
        };
        self.end(progress, decision);
        if self.attempt {
            progress.attempts.retain(|stage| !std::ptr::eq(Arc::as_ptr(stage), self.stage));
        }
        self.stage.count_for_breaker(self.attempt, error);
        fate
    }

    fn end(&self, progress: &mut Progress, decision: Decision) {
        let now = Instant::now();
        progress.at = now;
        let took = now.duration_since(self.started);
        let own = self.own.unwrap_or(took);
        let stats = self.stage.life.stats();
        stats.count(decision, u64::try_from(own.as_nanos()).unwrap_or(u64::MAX));
        if self.waited {
            stats.count_wait(took.saturating_sub(own));
        }
        let is_slow = self.stage.policy.slow.is_some_and(|slow| took >= slow);
        if is_slow && !self.slow && self.overdue.is_none() {
            self.stage.is_slow(took, false);
        }
    }
}

pin_project! {
    /// Sums up the time that the polls of a future take.
    struct Measured<F> {
        own: Duration,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let started = Instant::now();
        let result = this.future.poll(cx);
        *this.own += started.elapsed();
        result
    }
}
