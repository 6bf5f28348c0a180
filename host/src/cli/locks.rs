//! `host locks`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Flags of `host locks`.
#[derive(Debug, Args)]
pub struct LocksArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: LocksCommand,
    /// The folder for what is kept between runs: that of the host whose locks are meant
    #[arg(long, value_name = "DIR", default_value = "./state", global = true)]
    pub state: PathBuf,
}

/// What is done with locks.
#[derive(Debug, Subcommand)]
pub enum LocksCommand {
    /// Lists the locks that are in force
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Removes a lock, at once and for good (exit code 1 if there is none of that name)
    Remove {
        /// The lock's name, as the list has it
        name: String,
    },
}
