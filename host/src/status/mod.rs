//! `host status`: what the admin page shows, in a terminal.

mod page;
mod parts;
mod words;

use crate::cli::StatusArgs;
use crate::control::Client;
use crate::operator::Status;
use crate::say;
use crate::table::UNBOUNDED;
use anyhow::{Context, Result};
use page::page;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// How often it is shown again.
const AGAIN: Duration = Duration::from_secs(2);
/// Begins at the top of the terminal, and wipes what was there.
const FROM_THE_TOP: &str = "\x1b[H\x1b[J";

/// Shows how the running host is, once or until Ctrl-C.
pub fn run(args: &StatusArgs) -> Result<ExitCode> {
    if !args.watch {
        show(&ask(&args.host.state)?, args, "")?;
        return Ok(ExitCode::SUCCESS);
    }
    let wipe = if std::io::stdout().is_terminal() && !args.json { FROM_THE_TOP } else { "" };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let mut ticks = tokio::time::interval(AGAIN);
        loop {
            ticks.tick().await;
            show(&ask(&args.host.state)?, args, wipe)?;
        }
    })
}

fn ask(state: &Path) -> Result<Status> {
    let client = Client::find(state)?;
    let mut client = client.with_context(|| {
        format!(
            "no host runs with the state folder {}: start one, or give --state of the one that is \
             meant",
            state.display()
        )
    })?;
    client.status()
}

fn show(status: &Status, args: &StatusArgs, before: &str) -> Result<()> {
    let text = match (args.json, args.watch) {
        (true, false) => serde_json::to_string_pretty(status)? + "\n",
        // An object on a line of its own each time.
        (true, true) => serde_json::to_string(status)? + "\n",
        (false, _) => {
            let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
            page(status, SystemTime::now(), width.unwrap_or(UNBOUNDED))
        }
    };
    let page = format!("{before}{text}");
    if args.watch {
        // Not as what is printed once: when the reader has gone, this ends. At once: a page that comes in
        // pieces flickers.
        let mut out = std::io::stdout().lock();
        out.write_all(page.as_bytes())?;
        return Ok(out.flush()?);
    }
    Ok(say::write(format_args!("{page}"))?)
}
