//! The `host` command.

use clap::Parser;
use host::cli::{Cli, Command, PromoteArgs};
use host::handover::supervise;
use host::operator::Command as Tell;
use host::{
    echo, event_handler, fixtures, inspect, locks, logging, new, proxy, sign, status, tell, test,
    trust, vendor,
};
use std::process::ExitCode;

/// A request makes dozens of small allocations, and its task often ends on another thread than it
/// began on: what general allocators are slowest at. Plugins keep their own; nothing that crosses the
/// boundary is freed by the other side's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => proxy::run(cli.proxy),
        Some(Command::Echo(args)) => echo::run(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
        Some(Command::Sign(args)) => sign::run(&args),
        Some(Command::Trust(args)) => trust::run(&args),
        Some(Command::New(args)) => new::run(&args),
        Some(Command::Vendor(args)) => vendor::run(&args),
        Some(Command::Locks(args)) => locks::run(&args),
        Some(Command::Reload(args)) => tell::run(&args, Tell::Reload),
        Some(Command::Rollback(args)) => tell::run(&args, Tell::Rollback),
        Some(Command::Restart(args)) => tell::run(&args, Tell::Restart),
        Some(Command::Promote(PromoteArgs { id, force, host })) => {
            tell::run(&host, Tell::Promote { id, force })
        }
        Some(Command::Disable(args)) => tell::run(&args.host, Tell::Disable { id: args.id }),
        Some(Command::Enable(args)) => tell::run(&args.host, Tell::Enable { id: args.id }),
        Some(Command::Status(args)) => status::run(&args),
        Some(Command::Test(args)) => test::run(&args),
        Some(Command::Fixtures(args)) => fixtures::run(&args),
        Some(Command::EventHandler(args)) => event_handler::run(args),
        Some(Command::Supervise) => supervise::run(),
    };
    result.unwrap_or_else(|error| {
        logging::last_words(&error);
        ExitCode::from(if error.is::<host::Usage>() { 2 } else { 1 })
    })
}
