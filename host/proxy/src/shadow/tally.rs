//! What shadows have found so far.

use super::compare::Comparison;
use super::copies::Case;
use http::{Method, Uri};
use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

/// So many of the last differing requests are kept.
const KEPT: usize = 50;
/// So many kinds of differences are told apart: plugins choose the names of headers.
const KINDS: usize = 64;
/// What of one request is kept: more says nothing new.
const FOUND: usize = 16;
/// A path has at most so many characters here.
const PATH: usize = 200;

/// The counts of a shadow.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) differed: u64,
    pub(super) not_comparable: u64,
    kinds: HashMap<String, u64>,
    last: VecDeque<Difference>,
}

/// A request on which a shadow differed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// When it came.
    pub time: SystemTime,
    /// Its method.
    pub method: String,
    /// Its path as it came, without the query.
    pub path: String,
    /// What differed, in use / candidate: `header x-a: "1" / none`. Credentials are not shown.
    pub what: Vec<String>,
}

/// A request, for a report.
pub(super) struct Request {
    time: SystemTime,
    method: Method,
    target: Uri,
}

impl Request {
    pub(super) fn of(case: &Case) -> Self {
        Self { time: case.time, method: case.method.clone(), target: case.target.clone() }
    }
}

impl Tally {
    /// Counts a request in.
    pub(super) fn count(&mut self, request: &Request, comparison: Comparison) {
        let Comparison { found, unknown } = comparison;
        if found.is_empty() {
            match unknown {
                true => self.not_comparable += 1,
                false => self.requests += 1,
            }
            return;
        }
        self.requests += 1;
        self.differed += 1;
        let mut what = Vec::new();
        for found in found.into_iter().take(FOUND) {
            let known = self.kinds.contains_key(&found.kind) || self.kinds.len() < KINDS;
            let kind = if known { found.kind } else { "other".to_owned() };
            *self.kinds.entry(kind).or_default() += 1;
            what.push(found.text);
        }
        self.last.truncate(KEPT - 1);
        self.last.push_front(Difference {
            time: request.time,
            method: request.method.to_string(),
            path: request.target.path().chars().take(PATH).collect(),
            what,
        });
    }

    /// The share of compared requests that differed.
    #[allow(clippy::cast_precision_loss)] // there are not so many requests
    pub(super) fn share(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.differed as f64 / self.requests as f64 }
    }

    /// How often each thing differed, the commonest first.
    pub(super) fn kinds(&self) -> Vec<(String, u64)> {
        let mut kinds: Vec<_> =
            self.kinds.iter().map(|(kind, count)| (kind.clone(), *count)).collect();
        kinds.sort_by(|(one, often), (other, seldom)| seldom.cmp(often).then(one.cmp(other)));
        kinds
    }

    /// The last requests that differed, the newest first.
    pub(super) fn last(&self) -> Vec<Difference> {
        self.last.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: &str) -> Comparison {
        let mut comparison = Comparison::default();
        comparison.add(kind, "1 / 2");
        comparison
    }

    fn request(path: &str) -> Request {
        Request { time: SystemTime::UNIX_EPOCH, method: Method::GET, target: path.parse().unwrap() }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut tally = Tally::default();
        for number in 0..200 {
            tally.count(
                &request(&format!("/{number}?secret")),
                found(&format!("header x-{number}")),
            );
        }
        tally.count(&request("/same"), Comparison::default());
        tally.count(&request("/unknown"), Comparison { found: Vec::new(), unknown: true });
        assert_eq!((tally.requests, tally.differed, tally.not_comparable), (201, 200, 1));
        assert_eq!(tally.kinds().len(), KINDS + 1);
        assert_eq!(tally.kinds()[0], ("other".to_owned(), 200 - KINDS as u64));
        let last = tally.last();
        assert_eq!((last.len(), last[0].path.as_str()), (KEPT, "/199"));
        assert_eq!(last[0].what, ["header x-199: 1 / 2"]);
    }
}
