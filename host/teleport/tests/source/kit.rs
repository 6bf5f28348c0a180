//! A fake auth server, a configuration for it, and a reader of what comes.

use fake_teleport::{Authority, Certificate, Fake, World, midnight};
use host_teleport::{Config, Credentials, Error, Metrics, Read, Source, Timing};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(crate) const CLUSTER: &str = "tenon.example.com";

/// Whatever takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) struct Scene {
    pub(crate) authority: Authority,
    pub(crate) user: Certificate,
    pub(crate) fake: Fake,
    folder: TempDir,
}

impl Scene {
    pub(crate) fn new(world: World) -> Self {
        let authority = Authority::new(CLUSTER);
        let user = authority.user("event-handler", 30);
        let fake = Fake::start(&authority, CLUSTER, world);
        let folder = tempfile::tempdir().unwrap();
        authority.write_identity(&user, &folder.path().join("identity"));
        Self { authority, user, fake, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The state's folder.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        let folder = format!("127.0.0.1_{}", self.fake.address().port());
        self.path("state").join(folder).join(name)
    }

    /// Reads everything from ten days ago on, and ends; with short waits.
    pub(crate) fn config(&self) -> Config {
        let addr = self.fake.address().to_string();
        let credentials = Credentials::Identity(self.path("identity"));
        let mut config = Config::new(addr, credentials, self.path("state"));
        config.start_time = Some(midnight(10));
        config.exit_on_last_event = true;
        config.timeout = milliseconds(20);
        config.batch = 100;
        config.timing = Timing {
            answer: Duration::from_secs(10),
            retry: (milliseconds(4), milliseconds(40)),
            start: Duration::from_secs(2),
            save: milliseconds(20),
            drain: Duration::from_secs(5),
            missing: (milliseconds(30), milliseconds(60)),
            settle: Duration::ZERO,
            export_delay: Duration::ZERO,
            ..Timing::default()
        };
        config
    }

    /// The same, without an end.
    pub(crate) fn endless(&self) -> Config {
        Config { exit_on_last_event: false, ..self.config() }
    }

    /// Opens and runs a source to its end, and takes all it reads.
    pub(crate) async fn all(&self, config: Config) -> Taken {
        let mut running = Running::start(config).await;
        let mut taken = Taken::default();
        while let Some(read) = running.next().await {
            taken.take(read);
        }
        let metrics = running.metrics.clone();
        running.ended().await.unwrap();
        taken.metrics = metrics;
        taken
    }
}

/// A source that runs.
pub(crate) struct Running {
    pub(crate) metrics: Metrics,
    pub(crate) events: mpsc::Receiver<Read>,
    stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(crate) async fn start(config: Config) -> Self {
        Self::with_room(config, 16).await
    }

    pub(crate) async fn with_room(config: Config, room: usize) -> Self {
        let source = timeout(LIMIT, Source::open(config)).await.unwrap().unwrap();
        Self::run(source, room)
    }

    pub(crate) fn run(source: Source, room: usize) -> Self {
        let (sender, events) = mpsc::channel(room);
        let (stop, metrics) = (CancellationToken::new(), source.metrics().clone());
        let task = tokio::spawn(source.run(sender, stop.clone()));
        Self { metrics, events, stop, task }
    }

    /// None: it has ended.
    pub(crate) async fn next(&mut self) -> Option<Read> {
        timeout(LIMIT, self.events.recv()).await.expect("nothing comes")
    }

    /// So many, each done.
    pub(crate) async fn take(&mut self, count: usize) -> Taken {
        let mut taken = Taken::default();
        for _ in 0..count {
            taken.take(self.next().await.unwrap());
        }
        taken
    }

    pub(crate) async fn ended(self) -> Result<(), Error> {
        drop(self.events);
        timeout(LIMIT, self.task).await.expect("it does not end").unwrap()
    }

    /// Asks it to end, and takes what still comes as done.
    pub(crate) async fn stop(mut self) -> Taken {
        self.stop.cancel();
        let mut taken = Taken::default();
        while let Some(read) = self.next().await {
            taken.take(read);
        }
        self.ended().await.unwrap();
        taken
    }

    pub(crate) fn failed_to_save(&self) -> bool {
        !self.shows("tenon_teleport_state_errors_total 0\n")
    }

    /// Whether there is such a line of its metrics.
    pub(crate) fn shows(&self, line: &str) -> bool {
        let mut registry = prometheus_client::registry::Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text.contains(line)
    }

    /// Ends it at once, as a crash does: nothing more is saved.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// What came, and was done.
#[derive(Default)]
pub(crate) struct Taken {
    /// How often each id came.
    pub(crate) uids: BTreeMap<String, usize>,
    /// In the order in which it came: session, id, type, JSON.
    pub(crate) events: Vec<(Option<String>, String, String, String)>,
    pub(crate) metrics: Metrics,
}

impl Taken {
    pub(crate) fn take(&mut self, read: Read) {
        let json = String::from_utf8(read.json.to_vec()).unwrap();
        *self.uids.entry(read.uid.clone()).or_default() += 1;
        let session = read.session.map(|it| it.to_string());
        self.events.push((session, read.uid, read.kind.to_string(), json));
        read.done.done();
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (uid, count) in other.uids {
            *self.uids.entry(uid).or_default() += count;
        }
        self.events.extend(other.events);
    }

    /// The numbers of events of the log that never came.
    pub(crate) fn lost(&self, events: u64) -> Vec<u64> {
        (0..events).filter(|number| !self.uids.contains_key(&uid(*number))).collect()
    }

    /// How many came more than once.
    pub(crate) fn repeated(&self) -> usize {
        self.uids.values().filter(|count| **count > 1).count()
    }

    /// All events of the log from 0 on, each once, and nothing else.
    pub(crate) fn are_exactly(&self, events: u64) {
        assert_eq!((self.lost(events), self.repeated()), (Vec::new(), 0));
        assert_eq!(self.uids.len() as u64, events);
    }

    pub(crate) fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<_> = self.events.iter().map(|(_, _, kind, _)| kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

pub(crate) fn uid(number: u64) -> String {
    format!("{number:012}")
}

/// Waits until something is so, as seen from outside: a file, a metric.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(milliseconds(2)).await;
        }
    };
    timeout(LIMIT, waiting).await.unwrap_or_else(|_| panic!("it is never so: {what}"));
}
