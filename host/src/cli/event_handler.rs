//! Flags of `host event-handler`.
// The comments are the text of --help.
#![allow(clippy::doc_markdown)]

use crate::event_handler::Flags;
use crate::values::time;
use clap::{Args, Subcommand};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `host event-handler`.
#[derive(Debug, Args)]
pub struct EventHandlerArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: EventHandlerCommand,
    /// The configuration file (TOML)
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "FDFWD_CONFIG",
        hide_env_values = true,
        global = true
    )]
    pub config: Option<PathBuf>,
    /// Log what a developer wants to know, each setting and where it is from among it
    /// [env: FDFWD_DEBUG]
    // The variable counts after the file, and so is none of clap's.
    #[arg(short, long, global = true)]
    pub debug: bool,
}

/// What `host event-handler` does.
#[derive(Debug, Subcommand)]
pub enum EventHandlerCommand {
    /// Writes certificates, a role, and configurations of fluentd and of this program
    Configure(ConfigureArgs),
    /// Brings audit events from a Teleport cluster, or a file, through plugins to where they go
    ///
    /// What is given twice counts in this order: the flag, the configuration file, the environment, the
    /// default. In the file a flag a-b-c is the key c of the table [a.b], or a-b-c itself, and
    /// fluentd-x is x of [forward.fluentd]. Tables [[event-plugin]] have more plugins, as in the proxy's
    /// file, and [[sink]] more places for events.
    Start(Box<StartArgs>),
    /// Says which version this is
    Version,
}

/// Flags of `host event-handler start`.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// Those that may stand in the file and the environment, too.
    #[command(flatten)]
    pub settings: Flags,
    /// A further place for events: stdout, or file:PATH (one JSON object a line); may be given several
    /// times. Others are for the configuration file: [[sink]]
    #[arg(long, value_name = "SINK", help_heading = "Sinks")]
    pub sink: Vec<String>,
    /// A further WebAssembly plugin; may be given several times, in order
    #[arg(long, value_name = "PATH.wasm[={JSON}]", help_heading = "Plugins")]
    pub event_plugin: Vec<String>,
}

/// Flags of `host event-handler configure`.
#[derive(Debug, Args)]
pub struct ConfigureArgs {
    /// The folder to write to
    pub out: PathBuf,
    /// The address of the Teleport proxy or auth server: teleport.example.com:443
    #[arg(default_value = "localhost:3025")]
    pub addr: String,
    /// The name of the authority's files
    #[arg(default_value = "ca")]
    pub ca: String,
    /// The name of fluentd's files
    #[arg(default_value = "server")]
    pub server: String,
    /// The name of this program's files
    #[arg(default_value = "client")]
    pub client: String,
    /// How long certificates are valid
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "87600h")]
    pub ttl: Duration,
    /// Names of fluentd's machine, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "localhost")]
    pub dns_names: Vec<String>,
    /// Addresses of fluentd's machine, separated by commas
    #[arg(long, value_name = "ADDRS", value_delimiter = ',')]
    pub ip: Vec<IpAddr>,
    /// Taken, as the original has it, and without effect: keys are ECDSA P-256 ones
    #[arg(long, value_name = "BITS", default_value_t = 4096)]
    pub length: u32,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
}
