//! The command line, as the user writes it.
// The comments are the text of --help.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, rustdoc::broken_intra_doc_links)]

mod event_handler;
mod trust;

pub use event_handler::{ConfigureArgs, EventHandlerArgs, EventHandlerCommand, StartArgs};
pub use trust::{SignArgs, TrustArgs, TrustCommand, TrustFlags};

use crate::values::{network, pair, time};
use crate::vendor::Language;
use clap::{Args, Parser, Subcommand, ValueEnum};
use host_events::PoolBuilder;
use host_proxy::{Format, Listen, UpstreamHttp};
use ipnet::IpNet;
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
    /// The folder for what is kept between runs: that of the host that is meant
    #[arg(long, value_name = "DIR", default_value = "./state")]
    pub state: PathBuf,
}

/// Flags of `host promote`.
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// The shadow's number, as host status has it; needed if there are several
    pub id: Option<u64>,
    /// Also if it was compared on too few requests, their decisions differed too often, or a call of it
    /// hangs
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
    pub id: u64,
    /// The host that is meant.
    #[command(flatten)]
    pub host: TellArgs,
}

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

/// Flags of the proxy. Each may also stand in the configuration file, under the same name.
#[derive(Clone, Debug, Default, Args)]
pub struct ProxyArgs {
    /// Where to listen: :9090, 127.0.0.1:9090 [default: :9090]
    #[arg(long, value_name = "ADDR")]
    pub port: Option<Listen>,
    /// The upstream: http://HOST[:PORT][/PATH] or https://…
    #[arg(long, visible_alias = "url", value_name = "URL")]
    pub target: Option<String>,
    /// The path that is served here; taking it off is the reverse_proxy patch's work [default: /]
    #[arg(long, value_name = "PATH")]
    pub prefix: Option<String>,
    /// The configuration file (TOML); flags and the environment go before it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder for what is kept between runs [default: ./state]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// A plugin to run before authentication; may be given several times, in order
    #[arg(long, value_name = "PATH[={JSON}]", help_heading = "Plugins")]
    pub pre_plugin: Vec<String>,
    /// A plugin to run after authentication; may be given several times, in order
    #[arg(long, value_name = "PATH[={JSON}]", help_heading = "Plugins")]
    pub post_plugin: Vec<String>,
    /// The folder of patches: reverse_proxy.so, authenticator.so, error_page.so [default: ./patches]
    #[arg(long, value_name = "DIR", help_heading = "Plugins")]
    pub patches: Option<PathBuf>,
    /// Where to look for plugins that are given by name [default: ./plugins and beside the program]
    #[arg(long, value_name = "DIR", help_heading = "Plugins")]
    pub plugin_dir: Vec<PathBuf>,
    /// How long a plugin may take to register [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Plugins")]
    pub register_timeout: Option<Duration>,
    /// Take changed plugins and patches only when told to: by SIGHUP or host reload
    #[arg(long, help_heading = "Plugins")]
    pub no_watch: bool,
    /// How many different native libraries may be mapped before reloads of native code are refused:
    /// none is ever unmapped [default: 64]
    #[arg(long, value_name = "COUNT", help_heading = "Plugins")]
    pub generations: Option<usize>,
    /// Beyond that, let another process take over in place of refusing the reload; see host restart
    #[arg(long, help_heading = "Plugins")]
    pub reexec: bool,
    /// How long a deferred step of a plugin may take before it is cut off; for a single plugin:
    /// deadline in its table of the configuration file [default: none]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Plugins")]
    pub plugin_deadline: Option<Duration>,
    /// From which time on a step of a plugin is logged as slow; for a single plugin: slow in its
    /// table [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Plugins")]
    pub plugin_slow: Option<Duration>,

    /// A candidate that sees copies of requests, compared with the plugin of its name, the patch of its
    /// point, or the built-in; may be given several times. PLACE is pre, post or a patch point, NAME
    /// the plugin in whose place it would be, or nothing
    #[arg(long, value_name = "[PLACE[:NAME]=]PATH[={JSON}]", help_heading = "Shadows")]
    pub shadow: Vec<String>,
    /// The share of requests that shadows see [default: 1]
    #[arg(long, value_name = "SHARE", help_heading = "Shadows")]
    pub shadow_sample: Option<f64>,
    /// The share of requests on which a shadow may differ and yet be promoted [default: 0.01]
    #[arg(long, value_name = "SHARE", help_heading = "Shadows")]
    pub shadow_limit: Option<f64>,
    /// On how many requests it must have been compared to be promoted [default: 100]
    #[arg(long, value_name = "COUNT", help_heading = "Shadows")]
    pub shadow_least: Option<u64>,
    /// How long a shadow may take for a request [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Shadows")]
    pub shadow_deadline: Option<Duration>,
    /// A header whose values are not compared, only that it is there; may be given several times
    #[arg(long, value_name = "NAME", help_heading = "Shadows")]
    pub shadow_ignore: Vec<String>,
    /// Which plugins are taken.
    #[command(flatten)]
    pub trust: TrustFlags,

    /// A WebAssembly plugin that sees audit events; may be given several times, in order. Limits,
    /// secrets and more are for the configuration file: [[event-plugin]]
    #[arg(long, value_name = "PATH.wasm[={JSON}]", help_heading = "Events")]
    pub event_plugin: Vec<String>,
    /// Where audit events go: a file (one JSON object a line), log, or off [default: off without
    /// event plugins, else events.ndjson in the state folder]
    #[arg(long, value_name = "FILE", help_heading = "Events")]
    pub events: Option<String>,
    /// The bytes of a file of events, or of alerts, before the next is begun [default: 104857600]
    #[arg(long, value_name = "BYTES", help_heading = "Events")]
    pub events_size: Option<u64>,
    /// How many old files are kept of each [default: 5]
    #[arg(long, value_name = "COUNT", help_heading = "Events")]
    pub events_keep: Option<u32>,
    /// A file for the alerts of event plugins, beside the log
    #[arg(long, value_name = "FILE", help_heading = "Events")]
    pub alerts: Option<PathBuf>,
    /// What events say of where they are from [default: tenon]
    #[arg(long, value_name = "NAME", help_heading = "Events")]
    pub cluster_name: Option<String>,

    /// The user who may log in
    #[arg(
        long,
        value_name = "USER",
        env = "TENON_BASIC_USER",
        hide_env_values = true,
        help_heading = "Authentication"
    )]
    pub basic_user: Option<String>,
    /// The user's password. Others on this machine can read it in the process list: prefer
    /// --basic-password-file, or the environment variable TENON_BASIC_PASSWORD
    #[arg(long, value_name = "PASSWORD", help_heading = "Authentication")]
    pub basic_password: Option<String>,
    /// A file with the user's password in its first line
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "basic_password",
        help_heading = "Authentication"
    )]
    pub basic_password_file: Option<PathBuf>,
    /// The realm that browsers show [default: tenon]
    #[arg(long, value_name = "TEXT", help_heading = "Authentication")]
    pub realm: Option<String>,
    /// The header that tells the upstream who is logged in; clients cannot set it
    /// [default: Username]
    #[arg(long, value_name = "NAME", help_heading = "Authentication")]
    pub identity_header: Option<String>,
    /// Send the credentials that are checked here on to the upstream
    #[arg(long, help_heading = "Authentication")]
    pub forward_authorization: bool,

    /// The certificate chain that clients see (PEM); read again on SIGHUP
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Connections")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM); read again on SIGHUP
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Connections")]
    pub tls_key: Option<PathBuf>,
    /// Certificate authorities of the upstream (PEM), in place of the system's
    #[arg(long, value_name = "FILE", help_heading = "Connections")]
    pub upstream_ca: Option<PathBuf>,
    /// The certificate to show the upstream (PEM)
    #[arg(long, value_name = "FILE", requires = "upstream_key", help_heading = "Connections")]
    pub upstream_cert: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "upstream_cert", help_heading = "Connections")]
    pub upstream_key: Option<PathBuf>,
    /// The protocol to the upstream [default: auto]
    #[arg(long, value_enum, value_name = "VERSION", help_heading = "Connections")]
    pub upstream_http: Option<HttpArg>,
    /// Send the client's Host on in place of the upstream's; the upstream is then spoken to in
    /// HTTP/1.1
    #[arg(long, help_heading = "Connections")]
    pub preserve_host: bool,
    /// Networks or addresses whose X-Forwarded-* headers are believed; may be given several times
    #[arg(long, value_name = "NET", value_parser = network, help_heading = "Connections")]
    pub trusted_proxy: Vec<IpNet>,

    /// Until a request's head must be there, idle connections included [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Limits")]
    pub header_timeout: Option<Duration>,
    /// Until the upstream must have taken the connection [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Limits")]
    pub connect_timeout: Option<Duration>,
    /// Without a byte: from the upstream, in a body, or, in HTTP/1.1, taken by the client
    /// [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Limits")]
    pub idle_timeout: Option<Duration>,
    /// From a request's head to its response's, plugins included [default: none]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Limits")]
    pub request_timeout: Option<Duration>,
    /// The bytes of a request's head, at least 8192 [default: 65536]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    pub max_header_bytes: Option<usize>,
    /// The headers of a request [default: 100]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    pub max_headers: Option<usize>,
    /// How long connections are still taken after SIGTERM [default: 500ms]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Limits")]
    pub drain_delay: Option<Duration>,
    /// How long what is under way then has to end [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Limits")]
    pub drain_timeout: Option<Duration>,

    /// What to log: a level, or target=level,… [default: info]
    #[arg(
        long,
        value_name = "FILTER",
        env = "RUST_LOG",
        hide_env_values = true,
        help_heading = "Logging"
    )]
    pub log: Option<String>,
    /// Log what a developer wants to know: short for --log debug
    #[arg(short, long, help_heading = "Logging")]
    pub debug: bool,
    /// The form of log and access records [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Logging")]
    pub log_format: Option<FormatArg>,
    /// Where to write a record of each request: a file, - for the standard output, or off
    /// [default: -]
    #[arg(long, value_name = "FILE", help_heading = "Logging")]
    pub access_log: Option<String>,

    /// Where to serve the admin page and its API, /metrics, /healthz and /readyz: an address of this
    /// machine only, as in 127.0.0.1:9901, unless there is a token
    #[arg(long, value_name = "ADDR", help_heading = "Admin")]
    pub admin: Option<Listen>,
    /// A file with the token that the admin page and API ask for, 16 characters or more, in its first
    /// line; the environment variable TENON_ADMIN_TOKEN can hold it, too
    #[arg(long, value_name = "FILE", help_heading = "Admin")]
    pub admin_token_file: Option<PathBuf>,
    /// The token itself, from the environment.
    #[arg(skip)]
    pub admin_token: Option<String>,
    /// A name that the admin page is reached by, beside localhost and addresses; may be given several
    /// times
    #[arg(long, value_name = "NAME", help_heading = "Admin")]
    pub admin_host: Vec<String>,
}

/// [`UpstreamHttp`] as a flag.
#[derive(Clone, Copy, Debug, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpArg {
    /// What TLS negotiates; without TLS HTTP/1.1, or HTTP/2 for gRPC
    Auto,
    /// HTTP/1.1
    #[value(name = "1")]
    #[serde(rename = "1")]
    One,
    /// HTTP/2
    #[value(name = "2")]
    #[serde(rename = "2")]
    Two,
}

impl From<HttpArg> for UpstreamHttp {
    fn from(arg: HttpArg) -> Self {
        match arg {
            HttpArg::Auto => Self::Auto,
            HttpArg::One => Self::One,
            HttpArg::Two => Self::Two,
        }
    }
}

/// [`Format`] as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FormatArg {
    /// Lines for people
    Text,
    /// JSON objects for programs
    Json,
}

impl From<FormatArg> for Format {
    fn from(arg: FormatArg) -> Self {
        match arg {
            FormatArg::Text => Self::Text,
            FormatArg::Json => Self::Json,
        }
    }
}
