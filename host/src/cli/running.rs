//! What the running host is told and asked.

use crate::values::number;
use clap::Args;
use std::path::PathBuf;

/// Flags of what the running host is told.
#[derive(Debug, Args)]
pub struct TellArgs {
    /// The folder for what is kept between runs: that of the host that is meant
    #[arg(long, value_name = "DIR", default_value = "./state")]
    pub state: PathBuf,
}

/// Flags of `host status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print JSON: what the admin API has at /api/status
    #[arg(long)]
    pub json: bool,
    /// Show it again every two seconds, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// The host that is meant.
    #[command(flatten)]
    pub host: TellArgs,
}

/// Flags of `host promote`.
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// The shadow's number, as host status has it; needed if there are several
    #[arg(value_parser = number)]
    pub id: Option<u64>,
    /// Also if it was compared on too few requests, or on fewer than could not be compared, if their
    /// decisions differed too often, or a call of it hangs
    #[arg(long)]
    pub force: bool,
    /// The host that is meant.
    #[command(flatten)]
    pub host: TellArgs,
}

/// Flags of `host disable` and `host enable`.
#[derive(Debug, Args)]
pub struct TellPluginArgs {
    /// The plugin's number, as host status has it
    #[arg(value_parser = number)]
    pub id: u64,
    /// The host that is meant.
    #[command(flatten)]
    pub host: TellArgs,
}
