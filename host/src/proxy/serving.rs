//! The host as it runs, until it ends or another process takes over.

use super::doors::Doors;
use super::signals::Signals;
use crate::events::Events;
use crate::handover::{Heir, Launcher, Role, Socket, Successor, adopt};
use crate::live::{Live, Request};
use anyhow::Result;
use host_events::store::DiskStore;
use host_proxy::{Drained, Listen, Server};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What runs.
pub(super) struct Serving {
    pub(super) server: Server,
    pub(super) listener: TcpListener,
    /// Where it listens, as it was asked for.
    pub(super) place: Listen,
    pub(super) doors: Doors,
    pub(super) events: Option<Events>,
    pub(super) store: Option<Arc<DiskStore>>,
    pub(super) live: Arc<Live>,
    pub(super) signals: Signals,
    pub(super) launcher: Arc<Launcher>,
    /// Who asks for a successor.
    pub(super) requests: mpsc::Receiver<Request>,
    /// Whether no process was before it: whoever has started the host watches this one.
    pub(super) first: bool,
    /// How long what is under way has to end.
    pub(super) drain: Duration,
}

/// How it has ended.
pub(super) struct Ended {
    pub(super) code: ExitCode,
    /// The program that this process is to become, since others have taken over.
    pub(super) supervise: Option<PathBuf>,
}

enum Happened {
    /// SIGTERM or SIGINT.
    Told,
    /// The pipeline has ended by itself.
    Stopped(Result<()>),
    Asked(Request),
    /// A successor has loaded everything, or has failed.
    Loaded(Request, Result<Successor>),
}

/// A successor that is about to load everything.
type Loading = (Request, Pin<Box<dyn Future<Output = Result<Successor>> + Send>>);

impl Serving {
    pub(super) async fn run(mut self) -> Result<Ended> {
        let mut loading: Option<Loading> = None;
        loop {
            let Self { server, listener, signals, events, requests, .. } = &mut self;
            let until = async {
                tokio::select! {
                    _ = signals.next() => Happened::Told,
                    result = stopped(events) => Happened::Stopped(result),
                    Some(request) = requests.recv(), if loading.is_none() => {
                        Happened::Asked(request)
                    }
                    (request, successor) = loaded(&mut loading) => {
                        Happened::Loaded(request, successor)
                    }
                }
            };
            match server.serve(listener, until).await {
                Happened::Told => {
                    drop(loading);
                    return self.end(None).await;
                }
                Happened::Stopped(result) => {
                    drop(loading);
                    return self.end(Some(result)).await;
                }
                Happened::Asked(request) => {
                    let (launcher, sockets) = (self.launcher.clone(), self.sockets());
                    let start = async move { Successor::start(&launcher, sockets?).await };
                    loading = Some((request, Box::pin(start)));
                }
                Happened::Loaded(request, successor) => {
                    let heir = match successor {
                        Ok(successor) => self.hand_over(successor).await,
                        Err(error) => Err(error),
                    };
                    // Whoever has asked may be gone.
                    match heir {
                        Ok(heir) => {
                            let _ = request.send(Ok(heir.pid));
                            return Ok(self.retire(heir).await);
                        }
                        Err(error) => {
                            tracing::error!(
                                "no other process takes over, this one goes on: {error:#}"
                            );
                            let _ = request.send(Err(format!("{error:#}")));
                        }
                    }
                }
            }
        }
    }

    /// What a successor listens on.
    fn sockets(&self) -> std::io::Result<Vec<Socket>> {
        let proxy = Socket::new(Role::Proxy, self.place.to_string(), &self.listener);
        [proxy].into_iter().chain(self.doors.socket()).collect()
    }

    /// Lets a successor take over. If it does not, everything is as before.
    async fn hand_over(&mut self, successor: Successor) -> Result<Heir> {
        self.doors.close();
        let heir = match self.give_up().await {
            Ok(()) => successor.take_over(self.live.give_up()).await,
            Err(error) => Err(error),
        };
        if heir.is_err() {
            self.take_back().await;
        }
        heir
    }

    /// Gives up what only one process can have.
    async fn give_up(&mut self) -> Result<()> {
        if let Some(events) = &mut self.events {
            events.pause().await?;
        }
        if let Some(store) = self.store.clone() {
            tokio::task::spawn_blocking(move || store.close()).await?;
        }
        Ok(())
    }

    async fn take_back(&mut self) {
        self.live.take_back();
        if let Some(store) = self.store.clone() {
            let reopened = tokio::task::spawn_blocking(move || store.reopen()).await;
            if let Ok(Err(error)) = reopened {
                tracing::error!("{error}");
            }
        }
        let resumed = self.events.as_mut().map_or(Ok(()), Events::resume);
        for error in [resumed, self.doors.open()].into_iter().filter_map(Result::err) {
            tracing::error!("{error:#}");
        }
    }

    /// Answers what is under way, while another process serves.
    async fn retire(self, heir: Heir) -> Ended {
        let Self { server, listener, doors, events, live, signals, launcher, first, drain, .. } =
            self;
        tracing::info!(
            pid = heir.pid,
            "another process has taken over; this one ends what it has begun"
        );
        if first {
            adopt();
        }
        drop(listener);
        let mut events = events;
        if let Some(events) = &mut events {
            events.forward(heir);
        }
        let (drained, ()) = tokio::join!(server.retire(signals.pass_on(first)), doors.leave());
        if let Some(events) = events {
            events.finish(drain).await;
        }
        drop(live);
        let supervise = first.then(|| launcher.program().to_owned());
        Ended { code: code(drained), supervise }
    }

    /// Ends in an orderly way. `stopped`: the pipeline has ended before.
    async fn end(self, stopped: Option<Result<()>>) -> Result<Ended> {
        let Self { server, listener, events, store, live, signals, drain, requests, .. } = self;
        // Who waits for a successor has the turn that the end needs.
        drop(requests);
        signals.end_at_next();
        let drained = server.drain(listener).await;
        if let (None, Some(events)) = (&stopped, events) {
            events.finish(drain).await;
        }
        let closed = match store {
            // Plugins hold it to the end of the process: what waits is written now.
            Some(store) => tokio::task::spawn_blocking(move || store.close()).await,
            None => Ok(()),
        };
        live.end().await;
        closed?;
        stopped.unwrap_or(Ok(()))?;
        Ok(Ended { code: code(drained), supervise: None })
    }
}

async fn stopped(events: &mut Option<Events>) -> Result<()> {
    match events {
        Some(events) => events.stopped().await,
        None => std::future::pending().await,
    }
}

async fn loaded(loading: &mut Option<Loading>) -> (Request, Result<Successor>) {
    let Some((_, successor)) = loading else { return std::future::pending().await };
    let successor = successor.await;
    match loading.take() {
        Some((request, _)) => (request, successor),
        None => std::future::pending().await,
    }
}

fn code(drained: Drained) -> ExitCode {
    match drained {
        Drained::Whole => {
            tracing::info!("drained, nothing was cut off");
            ExitCode::SUCCESS
        }
        Drained::CutOff(connections) => {
            tracing::error!(
                connections,
                "the time to drain is over; of so many connections some are cut off"
            );
            ExitCode::FAILURE
        }
    }
}
