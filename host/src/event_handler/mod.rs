//! `host event-handler`: in place of Teleport's event handler, with plugins on the way.
//!
//! ```text
//! settings/  flags, file, environment → config → start
//! source/    a file's lines; host_teleport: a cluster
//!    ↓ mpsc
//! pipeline   failed logins are counted, plugins asked: several batches at a time, in order
//!    ↓                                      ↓ locks: cluster_locks → host_teleport's Locker
//! host_delivery  sinks → done → the source's cursor
//! ```
//!
//! The cursor passes an event when every sink has it, or a plugin has skipped it. Whatever ends the
//! program, what was on its way comes again.

mod admin;
mod cluster_locks;
mod config;
mod configure;
mod failed_logins;
mod pipeline;
mod plugins;
mod settings;
mod sinks;
mod source;
mod start;
mod watch;

pub use settings::Flags;

use crate::cli::{EventHandlerArgs, EventHandlerCommand, FormatArg};
use crate::logging;
use anyhow::Result;
use config::Config;
use settings::{Document, Settings};
use std::process::ExitCode;

/// Does what the command says.
pub fn run(args: EventHandlerArgs) -> Result<ExitCode> {
    let mut start = match args.command {
        EventHandlerCommand::Configure(args) => return configure::run(&args),
        EventHandlerCommand::Version => {
            say!("Tenon event handler {}", env!("CARGO_PKG_VERSION"))?;
            return Ok(ExitCode::SUCCESS);
        }
        EventHandlerCommand::Start(start) => start,
    };
    if args.debug {
        start.settings.debug();
    }
    let file = args.config.as_deref().map(Document::read).transpose()?;
    let settings =
        Settings::resolve(&start.settings, file.as_ref(), &|name| std::env::var(name).ok())?;
    let config = Config::check(&settings, file.as_ref(), &start)?;
    let debug = settings.switch("debug")?;
    let filter = std::env::var("RUST_LOG").ok().filter(|_| !debug);
    let usual = if debug { "debug" } else { "info" };
    logging::start(filter.as_deref().unwrap_or(usual), FormatArg::Text)?;
    settings.log();
    settings.warn_of_unheeded();
    if let Some(file) = &file {
        file.warn_of_unknown();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(start::start(config));
    // Whoever reads the standard input cannot be woken.
    runtime.shutdown_background();
    result.map(|()| ExitCode::SUCCESS)
}
