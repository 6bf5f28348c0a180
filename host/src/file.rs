//! The configuration file: the proxy's flags under the same names, and plugins with their own
//! configuration as TOML.

mod forms;

pub(crate) use forms::{duration, tables};

use crate::Usage;
use crate::cli::{FormatArg, HttpArg, ProxyArgs, TrustFlags};
use crate::events::Secret;
use crate::policy::{BreakerTable, OnPanicKey, PolicyKeys};
use anyhow::Context;
use forms::{networks, parsed};
use host_events::OnError;
use host_proxy::Listen;
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a file may say.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[allow(clippy::struct_field_names)] // they are the flags of `ProxyArgs`
pub(crate) struct File {
    #[serde(deserialize_with = "parsed")]
    pub(crate) port: Option<Listen>,
    #[serde(alias = "url")]
    pub(crate) target: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) state: Option<PathBuf>,
    #[serde(deserialize_with = "tables")]
    pub(crate) pre_plugin: Vec<PluginTable>,
    #[serde(deserialize_with = "tables")]
    pub(crate) post_plugin: Vec<PluginTable>,
    /// Configuration of patches by their point. The folder is the key `patches-dir`.
    pub(crate) patches: BTreeMap<String, PatchTable>,
    pub(crate) patches_dir: Option<PathBuf>,
    pub(crate) plugin_dir: Vec<PathBuf>,
    #[serde(deserialize_with = "duration")]
    pub(crate) register_timeout: Option<Duration>,
    #[serde(deserialize_with = "tables")]
    pub(crate) shadow: Vec<ShadowTable>,
    pub(crate) shadow_sample: Option<f64>,
    pub(crate) shadow_limit: Option<f64>,
    pub(crate) shadow_least: Option<u64>,
    #[serde(deserialize_with = "duration")]
    pub(crate) shadow_deadline: Option<Duration>,
    pub(crate) shadow_ignore: Vec<String>,
    pub(crate) no_watch: bool,
    pub(crate) generations: Option<usize>,
    pub(crate) reexec: bool,
    #[serde(deserialize_with = "duration")]
    pub(crate) plugin_deadline: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(crate) plugin_slow: Option<Duration>,
    pub(crate) plugin_trust: Option<PathBuf>,
    pub(crate) allow_world_writable: bool,
    #[serde(deserialize_with = "tables")]
    pub(crate) event_plugin: Vec<EventPluginTable>,
    pub(crate) events: Option<String>,
    pub(crate) events_size: Option<u64>,
    pub(crate) events_keep: Option<u32>,
    pub(crate) alerts: Option<PathBuf>,
    pub(crate) cluster_name: Option<String>,
    pub(crate) basic_user: Option<String>,
    pub(crate) basic_password: Option<String>,
    pub(crate) basic_password_file: Option<PathBuf>,
    pub(crate) realm: Option<String>,
    pub(crate) identity_header: Option<String>,
    pub(crate) forward_authorization: bool,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) upstream_ca: Option<PathBuf>,
    pub(crate) upstream_cert: Option<PathBuf>,
    pub(crate) upstream_key: Option<PathBuf>,
    pub(crate) upstream_http: Option<HttpArg>,
    pub(crate) preserve_host: bool,
    #[serde(deserialize_with = "networks")]
    pub(crate) trusted_proxy: Vec<IpNet>,
    #[serde(deserialize_with = "duration")]
    pub(crate) header_timeout: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(crate) connect_timeout: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(crate) idle_timeout: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) max_header_bytes: Option<usize>,
    pub(crate) max_headers: Option<usize>,
    #[serde(deserialize_with = "duration")]
    pub(crate) drain_delay: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(crate) drain_timeout: Option<Duration>,
    pub(crate) log: Option<String>,
    pub(crate) log_format: Option<FormatArg>,
    pub(crate) access_log: Option<String>,
    #[serde(deserialize_with = "parsed")]
    pub(crate) admin: Option<Listen>,
    pub(crate) admin_token_file: Option<PathBuf>,
    pub(crate) admin_host: Vec<String>,
}

/// A plugin in the file: `[[pre-plugin]]` or `[[post-plugin]]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table with a path")]
pub(crate) struct PluginTable {
    pub(crate) path: String,
    /// Passed to the plugin as JSON.
    pub(crate) config: Option<toml::Table>,
    /// Of a module in WebAssembly: how long a call may take.
    #[serde(default, deserialize_with = "duration")]
    pub(crate) timeout: Option<Duration>,
    /// Of a module: how many instances there are.
    pub(crate) concurrency: Option<usize>,
    /// Of a module: how many bytes an instance may have.
    pub(crate) memory: Option<u64>,
    /// Of a module: how many bytes a body may have that it is sent.
    pub(crate) body_limit: Option<usize>,
    /// What becomes of a request in which it panics: `fail` or `bypass`.
    pub(crate) on_panic: Option<OnPanicKey>,
    /// When it is called no more for a while.
    pub(crate) breaker: Option<BreakerTable>,
    /// How long a deferred step may take.
    #[serde(default, deserialize_with = "duration")]
    pub(crate) deadline: Option<Duration>,
    /// From here on a step is slow.
    #[serde(default, deserialize_with = "duration")]
    pub(crate) slow: Option<Duration>,
}

/// A candidate in the file: `[[shadow]]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table with a path")]
pub(crate) struct ShadowTable {
    pub(crate) path: PathBuf,
    /// Where it would stand.
    pub(crate) place: Option<String>,
    /// The plugin in whose place it would be, or `nothing`.
    pub(crate) replaces: Option<String>,
    /// Passed to the plugin as JSON.
    #[serde(default)]
    pub(crate) config: Option<toml::Table>,
}

/// An event plugin in the file: `[[event-plugin]]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table with a path")]
pub(crate) struct EventPluginTable {
    pub(crate) path: PathBuf,
    /// Its name in logs, metrics and the store; the file's without its ending if there is none.
    pub(crate) name: Option<String>,
    /// How long a call may take.
    #[serde(default, deserialize_with = "duration")]
    pub(crate) timeout: Option<Duration>,
    /// How many instances there are.
    pub(crate) concurrency: Option<usize>,
    /// How many bytes an instance may have.
    pub(crate) memory: Option<u64>,
    /// `pass`, `drop` or `stop`.
    #[serde(default)]
    pub(crate) on_error: OnError,
    /// The export to call.
    pub(crate) handler: Option<String>,
    #[serde(default)]
    pub(crate) config: toml::Table,
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, Secret>,
}

/// A patch's configuration: `[patches.authenticator]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct PatchTable {
    /// Passed to the patch as JSON.
    pub(crate) config: Option<toml::Table>,
    /// What becomes of a request in which it panics: `fail` or `bypass`.
    pub(crate) on_panic: Option<OnPanicKey>,
    /// When it is called no more for a while.
    pub(crate) breaker: Option<BreakerTable>,
    /// How long a deferred step may take.
    #[serde(default, deserialize_with = "duration")]
    pub(crate) deadline: Option<Duration>,
    /// From here on a step is slow.
    #[serde(default, deserialize_with = "duration")]
    pub(crate) slow: Option<Duration>,
}

impl PluginTable {
    pub(crate) fn policy_keys(&self) -> PolicyKeys {
        let Self { on_panic, breaker, deadline, slow, .. } = *self;
        PolicyKeys { on_panic, breaker, deadline, slow }
    }
}

impl PatchTable {
    pub(crate) fn policy_keys(&self) -> PolicyKeys {
        let Self { on_panic, breaker, deadline, slow, .. } = *self;
        PolicyKeys { on_panic, breaker, deadline, slow }
    }
}

impl File {
    /// Reads the file; a mistake in it names its line.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
        Ok(toml(path, &text)?)
    }

    /// The file with the flags before it: what both say is as the flags say; plugins of the flags
    /// come after those of the file.
    pub(crate) fn with_flags(self, flags: ProxyArgs) -> (ProxyArgs, FilePlugins) {
        let plugins = FilePlugins {
            pre: self.pre_plugin,
            post: self.post_plugin,
            patches: self.patches,
            event: self.event_plugin,
            shadow: self.shadow,
        };
        let no_password = flags.basic_password.is_none() && flags.basic_password_file.is_none();
        let append = |mut first: Vec<PathBuf>, second| {
            first.extend(second);
            first
        };
        let args = ProxyArgs {
            port: flags.port.or(self.port),
            target: flags.target.or(self.target),
            prefix: flags.prefix.or(self.prefix),
            config: flags.config,
            state: flags.state.or(self.state),
            pre_plugin: flags.pre_plugin,
            post_plugin: flags.post_plugin,
            patches: flags.patches.or(self.patches_dir),
            plugin_dir: append(flags.plugin_dir, self.plugin_dir),
            register_timeout: flags.register_timeout.or(self.register_timeout),
            shadow: flags.shadow,
            shadow_sample: flags.shadow_sample.or(self.shadow_sample),
            shadow_limit: flags.shadow_limit.or(self.shadow_limit),
            shadow_least: flags.shadow_least.or(self.shadow_least),
            shadow_deadline: flags.shadow_deadline.or(self.shadow_deadline),
            shadow_ignore: [flags.shadow_ignore, self.shadow_ignore].concat(),
            no_watch: flags.no_watch || self.no_watch,
            generations: flags.generations.or(self.generations),
            reexec: flags.reexec || self.reexec,
            plugin_deadline: flags.plugin_deadline.or(self.plugin_deadline),
            plugin_slow: flags.plugin_slow.or(self.plugin_slow),
            trust: TrustFlags {
                plugin_trust: flags.trust.plugin_trust.or(self.plugin_trust),
                allow_world_writable: flags.trust.allow_world_writable || self.allow_world_writable,
            },
            event_plugin: flags.event_plugin,
            events: flags.events.or(self.events),
            events_size: flags.events_size.or(self.events_size),
            events_keep: flags.events_keep.or(self.events_keep),
            alerts: flags.alerts.or(self.alerts),
            cluster_name: flags.cluster_name.or(self.cluster_name),
            basic_user: flags.basic_user.or(self.basic_user),
            basic_password: flags.basic_password.or(self.basic_password.filter(|_| no_password)),
            basic_password_file: flags
                .basic_password_file
                .or(self.basic_password_file.filter(|_| no_password)),
            realm: flags.realm.or(self.realm),
            identity_header: flags.identity_header.or(self.identity_header),
            forward_authorization: flags.forward_authorization || self.forward_authorization,
            tls_cert: flags.tls_cert.or(self.tls_cert),
            tls_key: flags.tls_key.or(self.tls_key),
            upstream_ca: flags.upstream_ca.or(self.upstream_ca),
            upstream_cert: flags.upstream_cert.or(self.upstream_cert),
            upstream_key: flags.upstream_key.or(self.upstream_key),
            upstream_http: flags.upstream_http.or(self.upstream_http),
            preserve_host: flags.preserve_host || self.preserve_host,
            trusted_proxy: [flags.trusted_proxy, self.trusted_proxy].concat(),
            header_timeout: flags.header_timeout.or(self.header_timeout),
            connect_timeout: flags.connect_timeout.or(self.connect_timeout),
            idle_timeout: flags.idle_timeout.or(self.idle_timeout),
            request_timeout: flags.request_timeout.or(self.request_timeout),
            max_header_bytes: flags.max_header_bytes.or(self.max_header_bytes),
            max_headers: flags.max_headers.or(self.max_headers),
            drain_delay: flags.drain_delay.or(self.drain_delay),
            drain_timeout: flags.drain_timeout.or(self.drain_timeout),
            log: flags.log.or(self.log),
            debug: flags.debug,
            log_format: flags.log_format.or(self.log_format),
            access_log: flags.access_log.or(self.access_log),
            admin: flags.admin.or(self.admin),
            admin_token_file: flags
                .admin_token_file
                .or(self.admin_token_file.filter(|_| flags.admin_token.is_none())),
            admin_token: flags.admin_token,
            admin_host: [flags.admin_host, self.admin_host].concat(),
        };
        (args, plugins)
    }
}

/// The plugins of a file.
#[derive(Debug, Default)]
pub(crate) struct FilePlugins {
    pub(crate) pre: Vec<PluginTable>,
    pub(crate) post: Vec<PluginTable>,
    pub(crate) patches: BTreeMap<String, PatchTable>,
    pub(crate) event: Vec<EventPluginTable>,
    pub(crate) shadow: Vec<ShadowTable>,
}

/// Reads what a configuration file says; a mistake in it names its line.
pub(crate) fn toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Usage> {
    toml::from_str(text)
        .map_err(|error| Usage(format!("{}: {}", path.display(), error.to_string().trim_end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<File> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("host.toml");
        std::fs::write(&path, text)?;
        File::read(&path)
    }

    #[test]
    fn flags_go_before_the_file() {
        let file = read("port = ':1'\nprefix = '/a'\nbasic-password = 'file'\nidle-timeout = '2s'");
        let flags = ProxyArgs {
            prefix: Some("/b".to_owned()),
            basic_password_file: Some("secret".into()),
            ..ProxyArgs::default()
        };
        let (args, _) = file.unwrap().with_flags(flags);
        assert_eq!(args.port, Some(Listen::Everywhere(1)));
        assert_eq!(args.prefix.as_deref(), Some("/b"));
        assert_eq!(args.basic_password, None);
        assert_eq!(args.idle_timeout, Some(Duration::from_secs(2)));
    }

    /// The host's own in the store have one.
    #[test]
    fn no_event_plugin_has_a_slash_in_its_name() {
        for (name, fits) in
            [("team-a", true), ("a/b", false), ("cluster/locks", false), ("", false)]
        {
            let file =
                read(&format!("[[event-plugin]]\npath = 'x.wasm'\nname = '{name}'")).unwrap();
            assert_eq!(file.event_plugin[0].manifest().is_ok(), fits, "{name:?}");
        }
    }

    #[test]
    fn a_mistake_names_file_line_and_key() {
        for (text, expected) in [
            ("port = ':1'\ntargt = 'x'", "unknown field `targt`"),
            ("idle-timeout = 'soon'", "write 30s or 500ms"),
            ("port = 'x:y'", "is nowhere to listen"),
            ("pre-plugin = 'x.so'", "expected tables, each under [[…]] and with a path"),
            ("[pre-plugin]\npath = 'x.so'", "expected tables, each under [[…]] and with a path"),
            ("pre-plugin = ['x.so']", "expected a table with a path"),
            ("shadow = ['x.so']", "expected a table with a path"),
            ("event-plugin = ['x.wasm']", "expected a table with a path"),
            ("[[pre-plugin]]\nconfig = {}", "missing field `path`"),
            ("[[pre-plugin]]\npath = 'x'\non-panic = 'ignore'", "unknown variant `ignore`"),
            ("[patches.error_page]\nbreaker = {}", "missing field `failures`"),
            ("[patches.error_page]\nslow = 5", "expected a string"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.is::<Usage>());
            let error = error.to_string();
            assert!(error.contains("host.toml: TOML parse error at line"), "{error}");
            assert!(error.contains(expected), "{error}");
        }
    }
}
