//! The proxy's own flags.

use super::{FormatArg, HttpArg, TrustFlags};
use crate::values::{network, time};
use clap::Args;
use host_proxy::Listen;
use ipnet::IpNet;
use std::path::PathBuf;
use std::time::Duration;

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

    /// A candidate, a library, that sees copies of requests, compared with the plugin of its name, the patch of its
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
