//! The events of the last days as lines on the standard output, read on where the last run was:
//! `cargo run -p host-teleport --example lines -- ADDR IDENTITY STATE`, to the last event.

use host_teleport::{Config, Credentials, Source};
use std::io::Write;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [addr, identity, state] = arguments.as_slice() else {
        return Err("usage: lines ADDR IDENTITY STATE".into());
    };
    let mut config = Config::new(addr, Credentials::Identity(identity.into()), state.into());
    // What was begun goes on: only a new state has to be told from when on.
    let is_new = !std::path::Path::new(state).exists();
    let month = Duration::from_secs(30 * 86_400);
    config.start_time = is_new.then(|| SystemTime::now() - month);
    config.exit_on_last_event = true;
    let source = Source::open(config).await?;
    let (sender, mut events) = mpsc::channel(1024);
    let running = tokio::spawn(source.run(sender, CancellationToken::new()));
    let mut out = std::io::stdout().lock();
    while let Some(read) = events.recv().await {
        out.write_all(&[&read.json, &b"\n"[..]].concat())?;
        read.done.done();
    }
    Ok(running.await??)
}
