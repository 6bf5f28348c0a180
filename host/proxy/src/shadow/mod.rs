//! Shadows: candidates that see copies of requests. What they decide is compared with what is in
//! use decides, and has no effect.
//!
//! On its way a request leaves copies (copies.rs) of what the part in use was given and what it
//! made of it: heads, and bodies that are in memory already (content.rs). When the head of its
//! response is ready they go to a thread of the candidate's own (worker.rs), which calls it
//! (replay.rs) and compares (compare.rs). No client ever waits for it, or sees it. What the host
//! lends to it has no effect either (`native/isolation.rs`).

mod compare;
mod content;
pub(crate) mod copies;
mod replay;
mod tally;
mod target;
mod worker;

pub(crate) use copies::{Copies, Watch};
pub use tally::Difference;
pub use target::Target;

use crate::native::Isolation;
use crate::span::RequestSpan;
use crate::stage::{Place, Stage, State};
use compare::Comparison;
use copies::Case;
use http::HeaderName;
use replay::replay;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tally::{Request, Tally};
use worker::Worker;

/// How a shadow looks, and what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ShadowSettings {
    /// The share of requests that it sees, from 0 to 1.
    pub sample: f64,
    /// The share of compared requests that may differ, from 0 to 1.
    pub limit: f64,
    /// So many requests must have been compared.
    pub least: u64,
    /// Within this time it must have decided, bodies included.
    pub deadline: Duration,
    /// Headers whose values are not compared; that they are there is.
    pub ignored: Vec<HeaderName>,
}

impl Default for ShadowSettings {
    fn default() -> Self {
        Self {
            sample: 1.0,
            limit: 0.01,
            least: 100,
            deadline: Duration::from_secs(5),
            ignored: Vec::new(),
        }
    }
}

/// A candidate, and what it is compared with.
pub struct Shadow {
    candidate: Arc<Stage>,
    isolation: Option<Isolation>,
    /// The name of the plugin in its place; none: the built-in part, or nothing.
    replaces: Option<String>,
    settings: ShadowSettings,
    worker: Worker,
    tally: Arc<Mutex<Tally>>,
    seen: AtomicU64,
    skipped: AtomicU64,
    promoted: AtomicBool,
}

/// What a shadow has found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Requests that were compared.
    pub requests: u64,
    /// Of those, the ones that differed.
    pub differed: u64,
    /// Requests that were not copied, since too many were under way.
    pub skipped: u64,
    /// Requests that could not be compared: one of the two has had a body that streams, or is large.
    pub not_comparable: u64,
    /// Audit events and requests of the candidate's that were not let out.
    pub withheld: u64,
    /// Whether it would be promoted now; the error says why not.
    pub verdict: Result<(), String>,
    /// How often each thing differed, the commonest first.
    pub what: Vec<(String, u64)>,
    /// The last requests that differed, the newest first.
    pub differences: Vec<Difference>,
}

/// Why there is no shadow.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// It is not clear what it is to be compared with, or it cannot stand there.
    #[error("{0}")]
    Place(String),
    /// It has no thread to run on.
    #[error("no thread for a shadow can be started: {0}")]
    Thread(std::io::Error),
}

impl Shadow {
    /// A candidate beside what it is compared with in `parts`; see [`Target::find`].
    pub fn new(
        candidate: Arc<Stage>,
        isolation: Option<Isolation>,
        replaces: Option<String>,
        settings: ShadowSettings,
    ) -> Result<Arc<Self>, ShadowError> {
        let worker = Worker::start().map_err(ShadowError::Thread)?;
        candidate.life.enter(State::Shadow);
        Ok(Arc::new(Self {
            candidate,
            isolation,
            replaces,
            settings,
            worker,
            tally: Arc::default(),
            seen: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            promoted: AtomicBool::new(false),
        }))
    }

    /// The candidate.
    pub fn candidate(&self) -> &Arc<Stage> {
        &self.candidate
    }

    /// Where it would stand.
    pub fn place(&self) -> Place {
        self.candidate.place
    }

    /// The settings.
    pub fn settings(&self) -> &ShadowSettings {
        &self.settings
    }

    /// Whether it is compared with this part.
    pub fn is_compared_with(&self, stage: &Stage) -> bool {
        stage.place == self.place()
            && match &self.replaces {
                Some(name) => stage.plugin.info.name == *name && !stage.is_builtin(),
                // A PRE or POST plugin in the place of none is compared with nothing.
                None => stage.is_builtin(),
            }
    }

    /// Whether there is no plugin whose place it would take.
    pub(crate) fn is_compared_with_nothing(&self) -> bool {
        self.replaces.is_none()
    }

    /// What it has found so far.
    pub fn report(&self) -> Report {
        let verdict = self.verdict();
        let tally = self.tally();
        Report {
            requests: tally.requests,
            differed: tally.differed,
            skipped: self.skipped.load(Ordering::Relaxed),
            not_comparable: tally.not_comparable,
            withheld: self.isolation.as_ref().map_or(0, Isolation::withheld),
            verdict,
            what: tally.kinds(),
            differences: tally.last(),
        }
    }

    /// Waits until the candidate has seen all that was copied so far.
    pub async fn settled(&self) {
        self.worker.idle().await;
    }

    /// Whether it may be promoted; the error says in a few lines why not, with what differed on the
    /// last requests.
    pub fn may_be_promoted(&self) -> Result<(), String> {
        self.verdict().map_err(|why| self.refusal(&why))
    }

    /// Ends the shadow: the candidate sees no more copies, and what it does has effect from here on.
    /// It is asked nothing. The last step before the chain with it is put to use.
    pub fn promote(&self) -> Arc<Stage> {
        self.promoted.store(true, Ordering::Relaxed);
        if let Some(isolation) = &self.isolation {
            isolation.lift();
        }
        self.candidate.clone()
    }

    /// Whether it was promoted.
    pub fn is_promoted(&self) -> bool {
        self.promoted.load(Ordering::Relaxed)
    }

    fn verdict(&self) -> Result<(), String> {
        if let Some(time) = self.worker.busy().filter(|time| *time > self.settings.deadline) {
            return Err(format!("a call of it has not come back for {} s", time.as_secs()));
        }
        let (tally, least, limit) = (self.tally(), self.settings.least, self.settings.limit);
        let (requests, others) = (tally.requests, tally.not_comparable);
        let others = match others {
            0 => String::new(),
            _ => format!("; {others} more had bodies that stream or are large, and say nothing"),
        };
        if requests < least {
            return Err(format!(
                "it was compared on {requests} requests so far, and {least} are asked{others}"
            ));
        }
        // Whoever differs where nothing can be compared would pass on what little can.
        if requests < tally.not_comparable {
            return Err(format!("it was compared on {requests} requests only{others}"));
        }
        let share = tally.share();
        if share > limit {
            let differed = tally.differed;
            let (share, limit) = (percent(share), percent(limit));
            return Err(format!(
                "it differed on {differed} of {requests} requests ({share}), and {limit} are allowed"
            ));
        }
        Ok(())
    }

    /// With what differed, and on which requests.
    fn refusal(&self, why: &str) -> String {
        let mut text = format!("{} is not promoted: {why}", self.candidate.plugin.info.name);
        let tally = self.tally();
        let kinds = tally.kinds();
        if !kinds.is_empty() {
            let kinds = kinds.iter().take(5).map(|(kind, count)| format!("{kind} ({count})"));
            let _ = write!(text, "; what differed: {}", kinds.collect::<Vec<_>>().join(", "));
        }
        for it in tally.last().iter().take(3) {
            let _ = write!(text, "\n  {} {}: {}", it.method, it.path, it.what.join("; "));
        }
        text
    }

    /// Whether the request that begins is one to copy.
    fn wants_another(&self) -> bool {
        if self.promoted.load(Ordering::Relaxed) {
            return false;
        }
        let number = self.seen.fetch_add(1, Ordering::Relaxed);
        if !is_sampled(number, self.settings.sample) {
            return false;
        }
        let room = self.worker.has_room();
        if !room {
            self.skipped.fetch_add(1, Ordering::Relaxed);
        }
        room
    }

    /// Shows a request to the candidate, at some time.
    fn compare(&self, case: Case) {
        let request = Request::of(&case);
        let peer = case.calls.first().map(|call| call.before.state.peer.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)); // there always is one
        let (candidate, tally) = (self.candidate.clone(), self.tally.clone());
        let (deadline, ignored) = (self.settings.deadline, self.settings.ignored.clone());
        let span = RequestSpan::of_copy(case.method, case.target, peer);
        let calls = case.calls;
        let work = async move {
            let replayed =
                tokio::time::timeout(deadline, replay(&candidate, &ignored, calls)).await;
            let comparison = replayed.unwrap_or_else(|_| {
                let mut comparison = Comparison::default();
                comparison.add("deadline", format!("no decision within {deadline:?}"));
                comparison
            });
            tally.lock().unwrap_or_else(PoisonError::into_inner).count(&request, comparison);
        };
        if !self.worker.run(span.around(work)) {
            self.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Spread evenly, whatever rhythm the requests have: the numbers are scattered first (`SplitMix64`).
#[allow(clippy::cast_precision_loss)] // a share
fn is_sampled(number: u64, share: f64) -> bool {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    share >= 1.0 || (z as f64) < share * u64::MAX as f64
}

fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_its_share_of_any_rhythm() {
        for (share, every) in [(0.1, 1), (0.1, 10), (0.5, 2), (0.0, 1), (1.0, 1)] {
            let sampled = (0..10_000).filter(|it| is_sampled(it * every, share)).count();
            let expected = share * 10_000.0;
            #[allow(clippy::cast_precision_loss)]
            let off = (sampled as f64 - expected).abs();
            assert!(off <= 200.0, "{sampled} of 10000 at {share}, every {every}");
        }
    }

    #[test]
    fn percents_are_short() {
        assert_eq!(percent(0.01), "1 %");
        assert_eq!(percent(0.512_34), "51.23 %");
        assert_eq!(percent(0.0), "0 %");
    }
}
