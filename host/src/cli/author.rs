//! What authors of plugins use.

use crate::values::{pair, time};
use crate::vendor::Language;
use clap::{Args, Subcommand, ValueEnum};
use host_events::PoolBuilder;
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `host new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The folder to write: one that does not exist, or an empty one. The plugin is called like it
    pub dir: PathBuf,
    /// What the plugin extends
    #[arg(long, value_enum, default_value_t = Kind::Event)]
    pub kind: Kind,
    /// What a patch replaces [default: reverse_proxy]
    #[arg(long, value_enum, value_name = "POINT")]
    pub point: Option<Point>,
    /// What it is written in; other kinds than event are in Rust
    #[arg(short, long, value_enum, value_name = "LANGUAGE", default_value_t = Language::Rust)]
    pub lang: Language,
    /// The example to start from. For event: dump logs events, change adds to them, count locks users
    /// out, skip drops events (for C there is only skip). For pre: gate looks at clients, limit counts
    /// their requests. For post: role tells the upstream what a user may do, ask asks a service.
    /// [default: dump, for C skip; gate; role]
    #[arg(short, long, value_name = "NAME")]
    pub example: Option<String>,
    /// Do not run npm, which a plugin in AssemblyScript has its compiler from
    #[arg(long)]
    pub no_install: bool,
}

/// What a new plugin extends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The way of audit events, in WebAssembly
    Event,
    /// The way of requests before authentication, as a shared library
    Pre,
    /// The way of requests after authentication, as a shared library
    Post,
    /// A part of the host, which it replaces, as a shared library
    Patch,
}

/// The parts of the host that a patch replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Point {
    /// Rewrites requests for the upstream
    ReverseProxy,
    /// Says who the client is
    Authenticator,
    /// Makes the answer for a failure
    ErrorPage,
}

/// Flags of `host vendor`.
#[derive(Debug, Args)]
pub struct VendorArgs {
    /// The plugin's folder, whose folder vendor is meant
    #[arg(default_value = ".")]
    pub dir: PathBuf,
}

/// Flags of `host test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The plugin, built with its tests [default: the one in build or
    /// target/wasm32-unknown-unknown/release]
    #[arg(value_name = "FILE.wasm")]
    pub file: Option<PathBuf>,
    /// The folder of fixtures [default: ./fixtures, if there is one]
    #[arg(long, value_name = "DIR")]
    pub fixtures: Option<PathBuf>,
    /// What the plugin finds in its configuration; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub config: Vec<(String, String)>,
    /// A secret that the plugin may read; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub secret: Vec<(String, String)>,
    /// How long a test, and a call with an event, may take
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "2s")]
    pub timeout: Duration,
    /// The bytes of memory that the plugin may have
    #[arg(long, value_name = "BYTES", default_value_t = PoolBuilder::MEMORY)]
    pub memory: u64,
    /// Show also what tests have logged that passed
    #[arg(short, long)]
    pub verbose: bool,
}

/// Flags of `host fixtures`.
#[derive(Debug, Args)]
pub struct FixturesArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: FixturesCommand,
}

/// What is done with fixtures.
#[derive(Debug, Subcommand)]
pub enum FixturesCommand {
    /// Lists a template for every type of event
    ListTemplates,
    /// Writes a fixture from a template, under the next free number
    Generate {
        /// The template: events.user_create
        template: String,
        /// What it is for, in a word: the file will be NUMBER-NAME.json
        name: String,
        /// The folder of fixtures
        #[arg(long, value_name = "DIR", default_value = "fixtures")]
        dir: PathBuf,
    },
}
