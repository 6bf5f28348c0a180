//! `host reload` and the like: what the running host is told.

use crate::cli::TellArgs;
use crate::control::Client;
use crate::operator::Command;
use anyhow::{Context, Result};
use std::process::ExitCode;

/// Tells it, and prints what it did. What it did not do is an error.
pub fn run(args: &TellArgs, command: Command) -> Result<ExitCode> {
    let host = Client::find(&args.state)?;
    let mut host = host.with_context(|| {
        let state = args.state.display();
        format!("no host runs with the state folder {state}: give the --state of the host")
    })?;
    let done = host.command(command)??;
    say!("{}", done.message)?;
    Ok(ExitCode::SUCCESS)
}
