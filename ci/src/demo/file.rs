//! Events from a file, through a plugin, to the standard output.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::Built;
use crate::cargo::arguments;

const USERS: [&str; 3] = ["alice", "secret-santa", "bob"];

/// The plugin skips the login of one of three users.
pub(super) async fn show(built: &Built, folder: &Path) -> Result<()> {
    let events = folder.join("events.ndjson");
    let lines = USERS.map(|user| {
        format!(
            r#"{{"code":"T1000I","event":"user.login","success":true,"uid":"{user}-1","user":"{user}"}}"#
        )
    });
    fs::write(&events, lines.join("\n") + "\n")
        .with_context(|| format!("cannot write {}", events.display()))?;
    let mut command = Command::new(&built.host);
    command.args(["event-handler", "start", "--sink", "stdout", "--source"]).arg(&events);
    command.arg("--wasm-plugin").arg(&built.skip);
    println!("$ cat {}\n{}\n", events.display(), lines.join("\n"));
    println!("$ {} {}", built.host.display(), arguments(command.as_std()));
    let output = command.output().await.context("the event handler cannot be run")?;
    let (out, log) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}");
    ensure!(output.status.success(), "the event handler failed: {log}");
    let expected = format!("{}\n{}\n", lines[0], lines[2]);
    ensure!(out == expected, "expected the logins of alice and bob, found {out:?}; its log: {log}");
    Ok(())
}
