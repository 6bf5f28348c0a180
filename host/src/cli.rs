//! The command line, as the user writes it.
// The comments are the text of --help.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, rustdoc::broken_intra_doc_links)]

mod author;
mod event_handler;
mod forms;
mod locks;
mod proxy;
mod running;
mod trust;

pub use author::{FixturesArgs, FixturesCommand, Kind, NewArgs, Point, TestArgs, VendorArgs};
pub use event_handler::{ConfigureArgs, EventHandlerArgs, EventHandlerCommand, StartArgs};
pub use forms::{FormatArg, HttpArg};
pub use locks::{LocksArgs, LocksCommand};
pub use proxy::ProxyArgs;
pub use running::{PromoteArgs, StatusArgs, TellArgs, TellPluginArgs};
pub use trust::{SignArgs, TrustArgs, TrustCommand, TrustFlags};

use crate::values::time;
use clap::{Args, Parser, Subcommand};
use host_proxy::Listen;
use std::path::PathBuf;
use std::time::Duration;

/// A reverse proxy that is extended while others build its parts.
///
/// Requests pass PRE plugins, basic authentication, POST plugins and the reverse proxy on their way
/// to the upstream, and the plugins again on their way back. Plugins are shared libraries of any
/// supported compiler; patches in the patches folder replace built-in parts.
#[derive(Debug, Parser)]
#[command(name = "host", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Exit codes: 0 fine, 1 failed, 2 wrong usage.")]
pub struct Cli {
    /// What to do in place of proxying.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The proxy's flags.
    #[command(flatten)]
    pub proxy: ProxyArgs,
}

/// What the program does beside proxying.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// An upstream for trying things: answers with what it was sent, as JSON
    Echo(EchoArgs),
    /// Says what a plugin is, and whether this host would take it (exit code 1 if not)
    Inspect(InspectArgs),
    /// Signs plugins, and makes the keys for that
    ///
    /// A signature is a file PLUGIN.minisig beside the plugin, in the format of minisign, whose
    /// program can make and verify it as well. A host that is started with --plugin-trust FILE takes
    /// the plugin if FILE has the public key: host trust add KEY.pub.
    Sign(SignArgs),
    /// Says which plugins a host may load: what is in the file of its --plugin-trust
    ///
    /// The file has a line for each plugin or key, and the rest of a line is a note:
    ///
    ///   # a comment
    ///   9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  libpre_plugin.so
    ///   RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3  the release key
    ///
    /// So the output of sha256sum and the public keys of minisign can be appended as they are. The
    /// host reads the file whenever it loads a plugin.
    #[command(verbatim_doc_comment)]
    Trust(TrustArgs),
    /// Writes a folder for a new plugin, which builds and tests by itself
    New(NewArgs),
    /// Brings the kit in a plugin's folder up to date
    Vendor(VendorArgs),
    /// Lists the users that plugins have locked, and lets them in again
    Locks(LocksArgs),
    /// Tells the running host to read its configuration, and to load what has changed
    Reload(TellArgs),
    /// Tells the running host to bring the last set of plugins back; a second time takes that back
    Rollback(TellArgs),
    /// Tells the running host to let another process take over, which loads everything anew
    ///
    /// No connection is dropped: the other process gets the sockets, and this one answers what it has
    /// begun. The program is looked for where it was: if another version is there by now, that one takes
    /// over. If it cannot, the running host goes on.
    Restart(TellArgs),
    /// Tells the running host to put a shadow in the place of what it was compared with
    Promote(PromoteArgs),
    /// Tells the running host to call a plugin no more
    ///
    /// Requests go on without it: what it would have stopped or changed passes. In the place of a patch is
    /// the built-in part. Without an authenticator nobody is let in: if nothing else can tell who a client
    /// is, requests are answered with 503. It stays so, also for what takes its place and in the next run,
    /// until host enable.
    Disable(TellPluginArgs),
    /// Tells the running host to call a disabled plugin again
    Enable(TellPluginArgs),
    /// Shows how the running host is: its chain, plugins, shadows, store and log
    Status(StatusArgs),
    /// Runs the tests of an event plugin (exit code 1 if one fails)
    Test(TestArgs),
    /// Lists and makes fixtures: events in files, for the tests of event plugins
    Fixtures(FixturesArgs),
    /// Takes the place of Teleport's event handler: audit events through plugins to fluentd and others
    EventHandler(EventHandlerArgs),
    /// What the first process becomes when others have taken over: it waits for them.
    #[command(hide = true)]
    Supervise,
}

/// Flags of `host echo`.
#[derive(Debug, Args)]
pub struct EchoArgs {
    /// Where to listen: :8081, 127.0.0.1:8081
    #[arg(long, default_value = "127.0.0.1:8081", value_name = "ADDR")]
    pub port: Listen,
}

/// Flags of `host inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The plugin: its path, library name or bare name, with its configuration if it needs one:
    /// FILE={"key": "value"}
    pub file: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where to look for plugins that are given by name
    #[arg(long, value_name = "DIR")]
    pub plugin_dir: Vec<PathBuf>,
    /// How long a plugin may take to register
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    pub register_timeout: Duration,
    /// Which plugins would be taken.
    #[command(flatten)]
    pub trust: TrustFlags,
}
