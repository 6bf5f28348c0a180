//! What passes the proxy, counted.
//!
//! Threads count each in a shard of its own: a cache line that all of them write to would go back and
//! forth between processors with every request. Whoever asks adds the shards up.

use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// With more threads than that some share one.
const SHARDS: usize = 16;

/// What became of a request, as the label `class`: the first digit of its status, or nothing, since
/// the client did not wait for one.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The upper bounds of the histogram, in microseconds: what a proxy adds is below the first ones, what
/// people wait for is between the last.
const BOUNDS: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// The requests and connections of a proxy, since its start.
#[derive(Default)]
pub struct Traffic {
    connections: AtomicU64,
    shards: [Shard; SHARDS],
}

/// Two cache lines: processors fetch them in pairs.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    /// Those that began on this thread less those that ended on it: only the sum of all shards is a
    /// number of requests.
    in_flight: AtomicU64,
    classes: [AtomicU64; CLASSES.len()],
    /// One more than there are bounds: the last is for what is beyond.
    times: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

/// How much has passed, at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Connections of clients that are open.
    pub connections: u64,
    /// Requests that are being answered, to the ends of their responses.
    pub in_flight: u64,
    /// Answered requests by the first digit of their status. The first are those whose clients did not
    /// wait.
    pub classes: [u64; CLASSES.len()],
}

impl Traffic {
    /// How much has passed until now.
    pub fn passed(&self) -> Passed {
        let mut passed =
            Passed { connections: self.connections.load(Relaxed), ..Passed::default() };
        for shard in &self.shards {
            passed.in_flight = passed.in_flight.wrapping_add(shard.in_flight.load(Relaxed));
            for (sum, class) in passed.classes.iter_mut().zip(&shard.classes) {
                *sum += class.load(Relaxed);
            }
        }
        // One that has moved between threads may be seen at its end and not at its start.
        if passed.in_flight > u64::MAX / 2 {
            passed.in_flight = 0;
        }
        passed
    }

    /// Shows it in a registry.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(self.clone()));
    }

    /// A connection is open, as long as this lives.
    pub(crate) fn connection(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Relaxed);
        OpenConnection(self.clone())
    }

    pub(crate) fn begun(&self) {
        self.shard().in_flight.fetch_add(1, Relaxed);
    }

    pub(crate) fn ended(&self) {
        self.shard().in_flight.fetch_sub(1, Relaxed);
    }

    /// A request whose answer is awaited, from now on.
    pub(crate) fn request(&self) -> Awaited<'_> {
        Awaited { traffic: self, since: Instant::now(), status: None }
    }

    fn shard(&self) -> &Shard {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: usize = NEXT.fetch_add(1, Relaxed) % SHARDS;
        }
        &self.shards[MINE.with(|mine| *mine)]
    }

    fn times(&self) -> ([u64; BOUNDS.len() + 1], u64) {
        let (mut times, mut microseconds) = ([0; BOUNDS.len() + 1], 0);
        for shard in &self.shards {
            for (sum, time) in times.iter_mut().zip(&shard.times) {
                *sum += time.load(Relaxed);
            }
            microseconds += shard.microseconds.load(Relaxed);
        }
        (times, microseconds)
    }
}

/// An open connection.
pub(crate) struct OpenConnection(Arc<Traffic>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

/// A request whose answer is awaited; counted when this is dropped, which it also is if nobody waits
/// any more.
pub(crate) struct Awaited<'a> {
    traffic: &'a Traffic,
    /// When its head was there.
    pub(crate) since: Instant,
    status: Option<StatusCode>,
}

impl Awaited<'_> {
    /// There is an answer.
    pub(crate) fn answered(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        let shard = self.traffic.shard();
        let class = self.status.map_or(0, |status| usize::from(status.as_u16() / 100));
        shard.classes[class.min(CLASSES.len() - 1)].fetch_add(1, Relaxed);
        if self.status.is_some() {
            let time = microseconds(self.since.elapsed());
            shard.times[BOUNDS.partition_point(|bound| *bound < time)].fetch_add(1, Relaxed);
            shard.microseconds.fetch_add(time, Relaxed);
        }
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[allow(clippy::cast_precision_loss)] // of microseconds in a histogram
fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

impl Collector for Traffic {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let passed = self.passed();
        let help = "Connections of clients that are open.";
        let mut gauge =
            encoder.encode_descriptor("tenon_connections", help, None, MetricType::Gauge)?;
        gauge.encode_gauge(&passed.connections)?;
        let help = "Requests that are being answered, to the ends of their responses.";
        let mut gauge =
            encoder.encode_descriptor("tenon_requests_in_flight", help, None, MetricType::Gauge)?;
        gauge.encode_gauge(&passed.in_flight)?;

        let help =
            "Requests by the class of their answer's status; none if the client has left before.";
        let mut family =
            encoder.encode_descriptor("tenon_requests", help, None, MetricType::Counter)?;
        for (class, count) in CLASSES.iter().zip(passed.classes) {
            let labels = [("class", *class)];
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }

        let help = "How long clients waited for the head of an answer, from that of their request.";
        let (times, sum) = self.times();
        let bounds = BOUNDS.iter().map(|bound| seconds(*bound)).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(times).collect();
        encoder
            .encode_descriptor("tenon_request_seconds", help, None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(seconds(sum), times.iter().sum(), &buckets, None)
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.passed().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn threads_count_together() {
        let traffic = Arc::new(Traffic::default());
        let open = traffic.connection();
        traffic.begun();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        traffic.begun();
                        traffic.request().answered(StatusCode::OK);
                        traffic.ended();
                    }
                });
            }
            scope.spawn(|| {
                traffic.begun();
                traffic.request().answered(StatusCode::BAD_GATEWAY);
            });
        });
        drop(traffic.request());
        // One began here and ends there: the shards disagree, their sum does not.
        std::thread::scope(|scope| _ = scope.spawn(|| traffic.ended()));
        let passed = traffic.passed();
        assert_eq!((passed.connections, passed.in_flight), (1, 1));
        assert_eq!(passed.classes, [1, 0, 4000, 0, 0, 1]);
        drop(open);
        assert_eq!(traffic.passed().connections, 0);
    }

    #[test]
    fn times_are_shown_in_cumulative_buckets() {
        let traffic = Arc::new(Traffic::default());
        traffic.request().answered(StatusCode::NO_CONTENT);
        let mut long_ago = traffic.request();
        long_ago.since = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        long_ago.answered(StatusCode::NOT_FOUND);
        drop(traffic.request()); // has no answer, and so no time
        let mut registry = Registry::default();
        traffic.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "# TYPE tenon_requests_in_flight gauge",
            "tenon_requests_total{class=\"2xx\"} 1",
            "tenon_requests_total{class=\"4xx\"} 1",
            "tenon_requests_total{class=\"none\"} 1",
            "tenon_request_seconds_bucket{le=\"10.0\"} 1",
            "tenon_request_seconds_bucket{le=\"+Inf\"} 2",
            "tenon_request_seconds_count 2",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("tenon_request_seconds_sum 60."), "{text}");
    }
}
