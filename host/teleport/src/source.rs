//! The source: opened, and then run.

use crate::backoff::Backoff;
use crate::bulk::{self, Days};
use crate::config::Config;
use crate::connect::Link;
use crate::error::{Error, Failure};
use crate::event::Kinds;
use crate::lock::Locker;
use crate::marks::{Marks, Room};
use crate::metrics::Metrics;
use crate::outlet::{Outlet, Read};
use crate::reader::Reader;
use crate::rpc::Rpc;
use crate::saver::Saver;
use crate::sessions::Sessions;
use crate::state::{Changes, Folder, Position, load};
use crate::time::{start_of, today};
use crate::windowed::{self, Windows};
use jiff::{Timestamp, ToSpan};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Audit events of a Teleport cluster.
#[derive(Debug)]
pub struct Source {
    config: Arc<Config>,
    link: Arc<Link>,
    rpc: Rpc,
    metrics: Metrics,
    folder: Folder,
    room: Arc<Room>,
    days: Arc<Days>,
    windows: Arc<Windows>,
    /// Where the windows are, if any were ever read.
    position: Option<Position>,
    sessions: Arc<Sessions>,
    /// Whether the server has the bulk export.
    bulk: bool,
}

impl Source {
    /// Reads the state and connects.
    ///
    /// A state or credentials that cannot be used, and a server that does not accept us, are errors at
    /// once; a server that is not there is waited for, for a minute. Once the source runs, all but the
    /// end of it is tried again for ever.
    pub async fn open(config: Config) -> Result<Self, Error> {
        config.check()?;
        let metrics = Metrics::default();
        let folder = Folder::open(&config)?;
        let loaded = load(&folder, &config)?;
        let link = Arc::new(Link::new(&config, &metrics)?);
        let rpc = Rpc::new(link.clone(), metrics.clone(), config.timing.answer);
        let bulk = begin(&rpc, &config, &metrics).await?;
        let room = Arc::new(Room::new(config.in_flight, metrics.clone()));
        let days = Arc::new(Days::restore(&loaded, &room, &metrics));
        let sessions = Sessions::restore(&loaded, config.concurrency, &room, &metrics);
        let saved = loaded.window.as_ref().map(|position| position.window);
        let windows = Arc::new(Windows::new(Marks::new(room.clone()), saved));
        let mut first = Changes::default();
        if loaded.start_is_new {
            first.start_time(loaded.start);
        }
        // That the folder can be written is seen now, not when events are under way.
        folder.save(&mut first)?;
        let (config, position) = (Arc::new(config), loaded.window);
        let source = Self {
            config,
            link,
            rpc,
            metrics,
            folder,
            room,
            days,
            windows,
            position,
            sessions,
            bulk,
        };
        Ok(source)
    }

    /// Its metrics, to be registered.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What makes locks, over the same connection; nothing does in a dry run.
    pub fn locker(&self) -> Option<Locker> {
        let (rpc, metrics) = (self.rpc.clone(), self.metrics.clone());
        (!self.config.dry_run).then(|| Locker::new(rpc, metrics, self.config.timing.retry))
    }

    /// Sends on what it reads, until it is stopped, or nobody takes events any more, or everything there
    /// is has been read if the configuration asks for that end.
    ///
    /// Then `out` is closed, events that are out are waited for a while, so that their `done` counts, and
    /// the state is saved.
    pub async fn run(self, out: mpsc::Sender<Read>, stop: CancellationToken) -> Result<(), Error> {
        let (asked_to_stop, stop) = (stop.clone(), stop.child_token());
        let reader = self.reader(out, &stop);
        let saved = CancellationToken::new();
        let parts = (self.days.clone(), self.windows.clone(), self.sessions.clone());
        let (metrics, timing) = (self.metrics.clone(), self.config.timing);
        let (folder, room) = (self.folder.clone(), self.room.clone());
        let saver = Saver::new(folder, parts, room, metrics, &timing);
        let saver = tokio::spawn(saver.run(saved.clone()));
        reader.spawn(self.sessions.clone().run(reader.clone()));
        if let Some(every) = self.config.refresh {
            let link = self.link.clone();
            reader.spawn(async move {
                let mut ticks = interval(every);
                loop {
                    ticks.tick().await;
                    // Two small files, once in a while.
                    link.identities.refresh();
                }
            });
        }
        let read = async {
            self.read(&reader).await?;
            self.sessions.idle().await;
            Ok(())
        };
        let ended = tokio::select! {
            ended = read => Some(ended),
            () = stop.cancelled() => None,
            () = reader.outlet.closed() => None,
        };
        self.room.end();
        stop.cancel();
        reader.tasks.close();
        reader.tasks.wait().await;
        drop(reader); // and with it `out`
        // Whoever wants everything to be read wants it to be delivered, too.
        if matches!(ended, Some(Ok(()))) {
            tokio::select! {
                () = self.room.empty() => {}
                () = asked_to_stop.cancelled() => {}
            }
        }
        let _ = timeout(timing.drain, self.room.empty()).await;
        saved.cancel();
        let _ = saver.await; // it does not panic
        ended.unwrap_or(Ok(()))
    }

    fn reader(&self, out: mpsc::Sender<Read>, stop: &CancellationToken) -> Reader {
        let (config, metrics) = (&self.config, self.metrics.clone());
        let lists = [&config.types, &config.skip_event_types, &config.skip_session_types];
        let kinds = Arc::new(Kinds::new(lists, metrics.clone()));
        let (room, sessions) = (self.room.clone(), self.sessions.clone());
        Reader {
            config: config.clone(),
            rpc: self.rpc.clone(),
            outlet: Outlet::new(out, room.clone(), kinds, sessions, metrics.clone()),
            room,
            metrics,
            tasks: TaskTracker::new(),
            stop: stop.clone(),
            log: Arc::default(),
        }
    }

    /// In bulk, if the server has that; else in windows.
    async fn read(&self, reader: &Reader) -> Result<(), Error> {
        let mut window = self.position.as_ref().map(|position| position.window);
        if self.bulk {
            self.days.begin(window);
            match bulk::run(reader, &self.days).await? {
                bulk::End::CaughtUp => return Ok(()),
                bulk::End::NotHere(why) => {
                    tracing::warn!("no bulk export: {why}; events are read in windows instead");
                }
            }
        }
        self.days.leave();
        // Where the export has gone further than the windows once had, they begin there.
        let unfinished = self.days.unfinished().map(|date| start_of(date).max(self.days.start()));
        let at = |window| Position { window, cursor: "".into(), id: String::new() };
        let from = match (self.position.clone(), unfinished) {
            (Some(position), None) => position,
            (Some(position), Some(day)) if window >= Some(day) => position,
            (_, day) => at(*window.insert(day.unwrap_or(self.days.start()))),
        };
        windowed::run(reader, &self.windows, from).await
    }
}

/// The first calls: are we let in, and is there the bulk export? It is asked for a day in the future, as
/// the event handler does: that one has no chunks.
async fn begin(rpc: &Rpc, config: &Config, metrics: &Metrics) -> Result<bool, Error> {
    let until = Instant::now() + config.timing.start;
    let mut backoff = Backoff::new(config.timing.retry);
    loop {
        let failure = match probe(rpc).await {
            Ok(bulk) => return Ok(bulk),
            Err(failure) => failure,
        };
        let wait = backoff.next();
        if failure.needs_somebody() || Instant::now() + wait > until {
            return Err(failure.into());
        }
        metrics.retry("Ping");
        tracing::warn!("{failure}; trying again in {:.1} s", wait.as_secs_f64());
        sleep(wait).await;
    }
}

async fn probe(rpc: &Rpc) -> Result<bool, Failure> {
    let pong = rpc.ping().await?;
    let future = today().saturating_add(2.days());
    let bulk = match ask_for_chunks(rpc, future).await {
        Ok(()) => true,
        Err(Failure::Unimplemented { message, .. }) => {
            tracing::info!("the auth server has no bulk export: {message}");
            false
        }
        Err(failure) => return Err(failure),
    };
    if !bulk {
        // Whether the role allows that, too.
        let now = Timestamp::now();
        let before = now.checked_sub(1.minute()).unwrap_or(now);
        rpc.search((before, now), Vec::new(), 1, "").await?;
    }
    tracing::info!(
        "connected to the cluster {} (Teleport {}); events are read in {}",
        pong.cluster,
        pong.version,
        if bulk { "bulk" } else { "windows" },
    );
    Ok(bulk)
}

async fn ask_for_chunks(rpc: &Rpc, date: jiff::civil::Date) -> Result<(), Failure> {
    let mut chunks = rpc.chunks(date).await?;
    while chunks.next().await?.is_some() {}
    Ok(())
}
