//! Programs that a task starts, watches and always ends.

use std::env;
use std::future::Future;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a program may take to say that it listens.
const START: Duration = Duration::from_secs(20);

/// A running program and what it has logged. It is killed when this is dropped.
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    /// Standard error up to now; the sender is gone once the program has closed it.
    log: watch::Receiver<String>,
}

impl Service {
    pub(crate) fn start(name: &'static str, mut command: Command) -> Result<Self> {
        // The host reads these, and the task alone is to say how it runs.
        for (name, _) in env::vars_os() {
            if name == "RUST_LOG" || name.to_string_lossy().starts_with("TENON_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .env("NO_COLOR", "1")
            .kill_on_drop(true)
            // Ctrl-C in the terminal goes to the task alone, which then ends its children.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (sender, log) = watch::channel(String::new());
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(collect(stderr, sender));
        }
        Ok(Self { name, child, log })
    }

    /// The `127.0.0.1:port` that the program logs as `listening on http://…`.
    pub(crate) async fn address(&mut self) -> Result<String> {
        const LISTENING: &str = "listening on http://";
        let line = self.logged(LISTENING).await?;
        let rest = line.split_once(LISTENING).map_or("", |(_, rest)| rest);
        Ok(rest.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// Waits for a line with `text` in the log and returns it.
    pub(crate) async fn logged(&mut self, text: &str) -> Result<String> {
        let find = |log: &str| log.lines().find(|line| line.contains(text)).map(str::to_owned);
        let line = async {
            let log = self.log.wait_for(|log| find(log).is_some()).await?;
            Ok::<_, watch::error::RecvError>(find(&log).unwrap_or_default())
        };
        match timeout(START, line).await {
            Ok(Ok(line)) => Ok(line),
            // The log has been closed.
            Ok(Err(_)) => Err(self.ended().await),
            Err(_) => bail!(
                "{} has not logged `{text}` within {} s; its log:\n{}",
                self.name,
                START.as_secs(),
                self.log()
            ),
        }
    }

    /// Everything that the program has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// Waits for the program to end, which it should not, and says how it did.
    pub(crate) async fn ended(&mut self) -> Error {
        let how = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        // What it wrote last may still be on its way.
        while self.log.changed().await.is_ok() {}
        anyhow!("{} has ended early ({how}); its log:\n{}", self.name, self.log())
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        self.child.kill().await.with_context(|| format!("cannot stop {}", self.name))
    }

    /// The process id, while the program runs.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().with_context(|| format!("{} is not running", self.name))
    }
}

/// Complete lines only, so that a reader never finds half an address.
async fn collect(stderr: impl AsyncRead + Unpin, log: watch::Sender<String>) -> io::Result<()> {
    let mut lines = BufReader::new(stderr).lines();
    while let Some(line) = lines.next_line().await? {
        log.send_modify(|log| {
            log.push_str(&line);
            log.push('\n');
        });
    }
    Ok(())
}

/// Runs `task` to its end, or to Ctrl-C, a request to terminate, or the loss of the terminal:
/// then there is no result.
///
/// Each of these drops the task, and with it every [`Service`] that it has started.
pub(crate) fn until_interrupted<T>(task: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            done = task => done.map(Some),
            _ = tokio::signal::ctrl_c() => Ok(None),
            _ = terminate.recv() => Ok(None),
            _ = hangup.recv() => Ok(None),
        }
    })
}
