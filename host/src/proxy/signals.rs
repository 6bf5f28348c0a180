//! What the user, or whoever has started the host, tells it by signals.

use crate::handover::tell_descendants;
use crate::live::{Live, Trigger};
use anyhow::Result;
use nix::sys::signal::Signal as Which;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What comes within this time of the first is the same order, to a process that hears it twice.
const SAME: Duration = Duration::from_secs(1);

/// SIGTERM and SIGINT.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Another process passes on what it is told. Whoever tells all of them, as systemd and Ctrl-C do,
    /// is heard twice.
    relayed: bool,
}

impl Signals {
    pub(crate) fn new(relayed: bool) -> Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { terminate, interrupt, relayed })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Which {
        tokio::select! {
            _ = self.terminate.recv() => Which::SIGTERM,
            _ = self.interrupt.recv() => Which::SIGINT,
        }
    }

    /// The next one that is another order than the one that was heard just now.
    async fn another(&mut self) -> Which {
        let first = Instant::now();
        loop {
            let told = self.next().await;
            if !self.relayed || first.elapsed() >= SAME {
                return told;
            }
        }
    }

    /// The process ends at once at the next one, and is said to drain.
    pub(crate) fn end_at_next(mut self) {
        tracing::info!("draining; a second signal ends it at once");
        tokio::spawn(async move {
            self.another().await;
            end();
        });
    }

    /// Another process has taken over. If this one was the `first` it passes on what it is told. It hurries
    /// at the first signal, which is when the future that is returned ends, and ends at once at the second.
    pub(super) fn pass_on(mut self, first: bool) -> impl Future<Output = ()> {
        let (hurry, hurried) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(async move {
            let pass = |told| {
                if first {
                    tell_descendants(told);
                }
            };
            pass(self.next().await);
            drop(hurry);
            pass(self.another().await);
            end();
        });
        async {
            let _ = hurried.await; // the other end is dropped, nothing is ever sent
        }
    }
}

fn end() {
    tracing::warn!("ended without draining");
    #[allow(clippy::disallowed_methods)] // that is what the user wants
    std::process::exit(1);
}

/// Ends at the first SIGTERM or SIGINT. At a second one the process ends at once.
pub(crate) fn shutdown() -> Result<impl Future<Output = ()>> {
    let mut signals = Signals::new(false)?;
    Ok(async move {
        signals.next().await;
        signals.end_at_next();
    })
}

/// Reads everything anew at each SIGHUP; one that comes when another process has taken over is for that.
/// `first`: no process was before this one.
pub(super) fn on_sighup(live: Arc<Live>, first: bool) -> Result<impl Future<Output = ()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            match live.has_heir() {
                false => _ = live.reload(Trigger::Signal).await, // it logs what came of it
                true if first => tell_descendants(Which::SIGHUP),
                true => {}
            }
        }
    })
}
