//! How the running host is: what the admin page, the API and `host status` show.

use serde::{Deserialize, Serialize};

/// The whole of it. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The host's version.
    pub version: String,
    /// The interface that its native plugins have.
    pub interface: String,
    /// The process.
    pub pid: u32,
    /// When it started.
    pub started: String,
    /// `starting`, `serving` or `draining`.
    pub phase: String,
    /// Where it listens.
    pub listening: String,
    /// Where requests go.
    pub target: String,
    /// The path that is served.
    pub prefix: String,
    /// What passes the proxy.
    pub traffic: Traffic,
    /// The chain that new requests take.
    pub chain: Chain,
    /// Its plugins, patches and built-in parts, in the order in which a request passes them.
    pub plugins: Vec<Plugin>,
    /// Plugins that are in no chain for new requests: refused, draining, retired; the newest first.
    pub past: Vec<Plugin>,
    /// Candidates that see copies of requests.
    pub shadows: Vec<Shadow>,
    /// Native libraries that are mapped.
    pub generations: Generations,
    /// The last time that plugins were loaded while the host ran.
    pub last_reload: Option<Reload>,
    /// What is not as it was asked for, a sentence each: what was refused or rolled back, and stays out.
    pub notes: Vec<String>,
    /// Plugins of audit events.
    pub event_plugins: Vec<EventPlugin>,
    /// Audit events of the proxy that wait for them, if there is somewhere for events to go.
    pub queue: Option<Queue>,
    /// The store of event plugins, if there is one.
    pub store: Option<Store>,
    /// How many users are locked.
    pub locks: usize,
    /// What plugins have logged last, the oldest first.
    pub log: Vec<Log>,
}

/// What passes the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Connections of clients that are open.
    pub connections: u64,
    /// Requests that are being answered, to the ends of their responses.
    pub in_flight: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// Of those, the ones answered with a status from 500 on.
    pub failed: u64,
}

/// Audit events that wait to be handled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// How many.
    pub waiting: u64,
    /// How many there is room for; what comes beyond is dropped and counted.
    pub room: u64,
}

/// The chain that new requests take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// How many there have been, this one included.
    pub number: u64,
    /// Since when it is in use.
    pub since: String,
    /// Whether there is one before it that `rollback` would bring back.
    pub can_roll_back: bool,
}

/// A plugin, patch or built-in part in its place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plugin {
    /// Its number: no other plugin of this process had it.
    pub id: u64,
    /// `pre`, `authenticator`, `post`, `reverse_proxy` or `error_page`.
    pub place: String,
    /// Its package's name.
    pub name: String,
    /// `native`, `wasm` or `builtin`.
    pub kind: String,
    /// The file, as it was asked for.
    pub path: String,
    /// Its package's version.
    pub version: String,
    /// The version of the interface that it was built with.
    pub interface: String,
    /// The compiler that built it.
    pub compiler: String,
    /// The SHA-256 of the file.
    pub sha256: String,
    /// What it registers.
    pub offers: Vec<String>,
    /// The built-in part that a patch stands for.
    pub replaces: Option<String>,
    /// See `host_proxy::State`.
    pub state: String,
    /// Why it is in that state, if there is a reason to give.
    pub reason: String,
    /// Since when.
    pub since: String,
    /// How often it was called; both hooks count.
    pub calls: u64,
    /// Calls that failed, panics not among them.
    pub errors: u64,
    /// Calls that panicked.
    pub panics: u64,
    /// Calls that took longer than its policy has for slow, and those that were cut off.
    pub slow: u64,
    /// Requests that went on, or failed, without it being called, since it is disabled.
    pub not_called: u64,
    /// The median of its own time a call, in microseconds; none before the first.
    pub p50_us: Option<f64>,
    /// What 99 of 100 calls do not exceed.
    pub p99_us: Option<f64>,
    /// What happens when it fails.
    pub policy: Policy,
}

/// What happens when a plugin fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// `fail` or `bypass`.
    pub on_panic: String,
    /// As in `5 in 10s, rests 30s`; none if there is no breaker.
    pub breaker: Option<String>,
    /// For a deferred step.
    pub deadline_ms: Option<u64>,
    /// From here on a step is slow.
    pub slow_ms: Option<u64>,
}

/// A candidate that sees copies of requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shadow {
    /// The candidate.
    pub plugin: Plugin,
    /// The number of the plugin that it is compared with.
    pub compared_with: u64,
    /// Requests that both have seen.
    pub requests: u64,
    /// Of those, the ones on which they differed.
    pub differed: u64,
    /// Copies that were not made, since too many were under way.
    pub skipped: u64,
    /// What cannot be compared: requests whose body one of them has read.
    pub not_comparable: u64,
    /// From this share of differing requests on it is not promoted.
    pub limit: f64,
    /// It is not promoted before it has seen so many.
    pub least: u64,
    /// Whether it would be promoted now; if not, why.
    pub verdict: String,
    /// How often each thing differed, the commonest first.
    pub what: Vec<(String, u64)>,
    /// The last requests on which they differed, the newest first.
    pub differences: Vec<Difference>,
}

/// A request on which a shadow differed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// When it was.
    pub time: String,
    /// The request's method.
    pub method: String,
    /// Its path, as it came.
    pub path: String,
    /// What differed, as in `header x-a: "1" / none` (in use / candidate).
    pub what: Vec<String>,
}

/// Native libraries that are mapped: nothing is ever unloaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generations {
    /// How many.
    pub mapped: u64,
    /// How many there may be before reloads of native code are refused.
    pub budget: u64,
}

/// What came of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// When it was.
    pub time: String,
    /// What set it off: `file`, `signal`, `command`.
    pub trigger: String,
    /// Whether what was asked for is in use now.
    pub succeeded: bool,
    /// What happened, in a line or a few.
    pub message: String,
}

/// A plugin of audit events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventPlugin {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The file.
    pub path: String,
    /// The SHA-256 of the file.
    pub sha256: String,
    /// See `host_proxy::State`; `resting` after failures.
    pub state: String,
    /// Why it is in that state, if there is a reason to give.
    pub reason: String,
    /// `pass`, `drop` or `stop`.
    pub on_error: String,
    /// Its pool.
    pub pool: Pool,
    /// Events that it left as they were.
    pub kept: u64,
    /// Events that it changed.
    pub changed: u64,
    /// Events that go nowhere.
    pub skipped: u64,
    /// Events that it failed on.
    pub failed: u64,
    /// The median of a call's time, in microseconds.
    pub p50_us: Option<f64>,
    /// What 99 of 100 calls do not exceed.
    pub p99_us: Option<f64>,
}

/// A pool of instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// How many instances there are.
    pub instances: u64,
    /// How many of them have a call to run.
    pub busy: u64,
    /// Instances that were thrown away after a failure.
    pub discarded: u64,
    /// How long a call may take.
    pub timeout_ms: u64,
    /// The bytes that an instance may have.
    pub memory: u64,
}

/// The store of event plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// Tokens that are alive.
    pub tokens: u64,
    /// Values.
    pub values: u64,
    /// The bytes that are taken.
    pub bytes: u64,
    /// The bytes that there is room for.
    pub limit: u64,
}

/// A line that a plugin has logged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// When.
    pub time: String,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    /// The plugin.
    pub plugin: String,
    /// The message with its fields.
    pub message: String,
}
