//! What can be set.

/// A setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The name of the flag.
    pub(crate) flag: &'static str,
    pub(crate) form: Form,
    /// Environment variables; the first that is there counts.
    pub(crate) env: &'static [&'static str],
    pub(crate) default: Option<&'static str>,
    pub(crate) heading: &'static str,
    pub(crate) help: &'static str,
}

/// How its value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A text, with the name of it for the help.
    Text(&'static str),
    /// A number that is at least this.
    Count(u64),
    /// How long: `10s`.
    Time,
    /// When, as RFC 3339 writes it.
    Date,
    /// Texts, separated by commas.
    List,
    /// On or off; the flag alone is on.
    Switch,
}

use Form::{Count, Date, List, Switch, Text, Time};

const fn of(
    flag: &'static str,
    form: Form,
    env: &'static [&'static str],
    default: Option<&'static str>,
    heading: &'static str,
    help: &'static str,
) -> Setting {
    Setting { flag, form, env, default, heading, help }
}

/// Some of the original's variables begin with another prefix than all others: with us, with either.
macro_rules! both {
    ($name:literal) => {
        &[concat!("FDFWD_", $name), concat!("FDWRD_", $name)]
    };
}

const FLUENTD: &str = "fluentd";
const TELEPORT: &str = "Teleport";
const READING: &str = "Reading";
const LOCKS: &str = "Locks";
const PLUGINS: &str = "Plugins";
const RUNNING: &str = "Running";

/// Beside `--source` these do nothing. `concurrency` is none of them: requests to fluentd follow it.
pub(crate) const FOR_A_CLUSTER: [&str; 5] =
    ["skip-session-types", "start-time", "batch", "window-size", "timeout"];

/// It may stand before the command as well, so that it is no flag of `start` alone: its text is that of
/// [`EventHandlerArgs`](crate::cli::EventHandlerArgs).
pub(crate) static DEBUG: Setting =
    of("debug", Switch, &["FDFWD_DEBUG"], Some("false"), RUNNING, "");

/// All that can be set.
pub(crate) fn all() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().chain([&DEBUG])
}

/// What is a flag of `start`: those of Teleport's event handler and of its plugin branch, with their
/// variables, then ours.
#[rustfmt::skip]
pub(crate) static SETTINGS: &[Setting] = &[
    of("fluentd-url", Text("URL"), both!("FLUENTD_URL"), None, FLUENTD, "Where events go; required unless there is another sink"),
    of("fluentd-session-url", Text("URL"), both!("FLUENTD_SESSION_URL"), None, FLUENTD, "Where events of session recordings go: to URL.SESSION.log; required with fluentd-url"),
    of("fluentd-cert", Text("FILE"), both!("FLUENTD_CERT"), None, FLUENTD, "The certificate to show (PEM)"),
    of("fluentd-key", Text("FILE"), both!("FLUENTD_KEY"), None, FLUENTD, "Its key"),
    of("fluentd-ca", Text("FILE"), both!("FLUENTD_CA"), None, FLUENTD, "Whom to trust, in place of the system's authorities"),
    of("fluentd-max-connections", Count(0), both!("MAX_CONNECTIONS"), None, FLUENTD, "Requests at a time; 0 for the default [default: twice concurrency]"),
    of("fluentd-batch", Count(1), &[], Some("1"), FLUENTD, "Events in a request: beyond 1 it is a JSON array, which fluentd's in_http takes as well"),

    of("teleport-addr", Text("HOST:PORT"), &["FDFWD_TELEPORT_ADDR"], Some("localhost:3025"), TELEPORT, "The auth server, or a proxy that routes TLS"),
    of("teleport-identity", Text("FILE"), &["FDFWD_TELEPORT_IDENTITY"], None, TELEPORT, "The identity file that tctl auth sign or tbot has written"),
    of("teleport-ca", Text("FILE"), &["FDFWD_TELEPORT_CA"], None, TELEPORT, "In place of it: whom to trust,"),
    of("teleport-cert", Text("FILE"), both!("TELEPORT_CERT"), None, TELEPORT, "our certificate,"),
    of("teleport-key", Text("FILE"), &["FDFWD_TELEPORT_KEY"], None, TELEPORT, "and its key"),
    of("teleport-refresh-enabled", Switch, &["FDFWD_TELEPORT_REFRESH_ENABLED"], Some("false"), TELEPORT, "Read the credentials again while running"),
    of("teleport-refresh-interval", Time, &["FDFWD_TELEPORT_REFRESH_INTERVAL"], Some("1m"), TELEPORT, "How often"),

    of("source", Text("FILE"), &[], None, READING, "Read events from a file (one JSON object a line), or from the standard input (-), in place of a cluster; end with the last"),
    of("types", List, &["FDFWD_TYPES"], None, READING, "Only events of these types"),
    of("skip-event-types", List, &["FDFWD_SKIP_EVENT_TYPES"], None, READING, "No events of these types"),
    of("skip-session-types", List, &["FDFWD_SKIP_SESSION_TYPES"], Some("print,desktop.recording"), READING, "Of a cluster: no events of these types from recordings"),
    of("start-time", Date, &["FDFWD_START_TIME"], None, READING, "Of a cluster: from when on (RFC 3339); it cannot be changed later [default: now]"),
    of("batch", Count(1), &["FDFWD_BATCH"], Some("20"), READING, "Of a cluster: events of a page, where there is no bulk export"),
    of("window-size", Time, &["FDFWD_WINDOW_SIZE"], Some("24h"), READING, "Of a cluster: the span of a search, where there is no bulk export"),
    of("timeout", Time, &["FDFWD_TIMEOUT"], Some("10s"), READING, "Of a cluster: how long to wait before new events are asked for"),
    of("concurrency", Count(1), &["FDFWD_CONCURRENCY"], Some("5"), READING, "Of a cluster: chunks, and beside them recordings, that are read at a time"),
    of("in-flight", Count(1), &[], Some("8192"), READING, "Events that may be read and not yet delivered"),

    of("wasm-plugin", Text("FILE"), &["WASM_PLUGIN_FILE"], None, PLUGINS, "A WebAssembly plugin that sees every event; further ones are [[event-plugin]] of the file"),
    of("wasm-timeout", Time, &["WASM_TIMEOUT"], Some("2s"), PLUGINS, "How long a call of it may take"),
    of("wasm-concurrency", Count(1), &["WASM_CONCURRENCY"], Some("5"), PLUGINS, "How many instances of it there are"),
    of("wasm-handle-event", Text("NAME"), &["WASM_FN"], None, PLUGINS, "Which export is called [default: handle_event or handleEvent, the one that there is]"),
    of("plugin-trust", Text("FILE"), &[], None, PLUGINS, "Load only plugins that this file allows; more in host trust --help"),
    of("allow-world-writable", Switch, &[], Some("false"), PLUGINS, "Load plugins that anybody may change, and keep compiled code in --storage though others may write there"),
    of("alerts", Text("FILE"), &[], None, PLUGINS, "A file for the alerts of plugins, beside the log"),

    of("lock-enabled", Switch, &["FDFWD_LOCKING_ENABLED"], Some("false"), LOCKS, "Lock users of the cluster who fail to log in again and again"),
    of("lock-failed-attempts-count", Count(1), &["FDFWD_LOCKING_FAILED_ATTEMPTS"], Some("3"), LOCKS, "So many attempts are forgiven; the next one locks"),
    of("lock-period", Time, &["FDFWD_LOCKING_PERIOD"], Some("1m"), LOCKS, "Within this time"),
    of("lock-for", Time, &["FDFWD_LOCKING_FOR"], None, LOCKS, "For how long [default: until somebody removes the lock]"),

    of("storage", Text("DIR"), &["FDFWD_STORAGE"], None, RUNNING, "The folder for what is kept between runs; required with a cluster"),
    of("dedupe", Count(0), &[], Some("0"), RUNNING, "Drop events whose uid a sink had among its last so many"),
    of("dry-run", Switch, &["FDFWD_DRY_RUN"], Some("false"), RUNNING, "Read events and call plugins, but deliver to no sink except the standard output, make no locks and write no state"),
    of("exit-on-last-event", Switch, &["FDFWD_EXIT_ON_LAST_EVENT"], Some("false"), RUNNING, "End when there are no more events"),
    of("admin", Text("ADDR"), &[], None, RUNNING, "Where to serve /metrics, /healthz and /readyz: 127.0.0.1:9901 [default: nowhere]"),
];
