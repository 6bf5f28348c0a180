//! The `host` command.

use clap::Parser;
use host::cli::{Cli, Command};
use host::{echo, inspect, logging, proxy};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => proxy::run(cli.proxy),
        Some(Command::Echo(args)) => echo::run(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
    };
    result.unwrap_or_else(|error| {
        logging::last_words(&error);
        ExitCode::from(if error.is::<host::Usage>() { 2 } else { 1 })
    })
}
