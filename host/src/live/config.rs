//! The configuration, read again while the host runs.

use super::declared::Declared;
use crate::admin::Access;
use crate::cli::{ProxyArgs, TrustFlags};
use crate::config::{check, with_environment};
use crate::events::EventsConfig;
use crate::file::File;
use anyhow::Result;

/// Flags and file as they were when the host started, to be read again.
pub(crate) struct Source {
    flags: ProxyArgs,
    trust: TrustFlags,
    /// What cannot change at run time.
    fixed: Vec<(&'static str, String)>,
}

/// What was read.
pub(crate) struct Reread {
    pub(crate) declared: Declared,
    /// Who may use the admin API.
    pub(crate) access: Option<Access>,
    /// The log filter, unless the command line has one, which does not change.
    pub(crate) filter: Option<String>,
    /// Keys that have changed, and that only a restart can change.
    pub(crate) fixed: Vec<&'static str>,
}

impl Source {
    pub(crate) fn new(flags: ProxyArgs, args: &ProxyArgs) -> Self {
        Self { flags, trust: args.trust.clone(), fixed: fixed(args) }
    }

    /// Reads the file again, and checks all of it as at the start.
    pub(crate) fn read(&self) -> Result<Reread> {
        let flags = self.flags.clone();
        let fixed_filter = flags.debug || flags.log.is_some() || flags.config.is_none();
        let file = flags.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let (mut args, plugins) = file.with_flags(with_environment(flags));
        let asked = fixed(&args);
        args.trust = self.trust.clone();
        let config = check(&args)?;
        let events = EventsConfig::check(&args, &plugins.event, &config.state)?;
        let events = events.map(|events| events.plugins).unwrap_or_default();
        let changed = asked.into_iter().zip(&self.fixed);
        let fixed = changed.filter(|(now, then)| now != *then).map(|(now, _)| now.0).collect();
        let filter = args.log.clone().unwrap_or_else(|| "info".to_owned());
        if !fixed_filter {
            crate::logging::parse(&filter)?;
        }
        let access = config.admin.map(|(_, access)| access);
        let declared = Declared::of(&args, &plugins, events, config.credentials)?;
        Ok(Reread { declared, access, filter: (!fixed_filter).then_some(filter), fixed })
    }
}

/// The keys that only a restart can change, with their values. Of passwords, tokens and plugins it has
/// none: they can change.
fn fixed(args: &ProxyArgs) -> Vec<(&'static str, String)> {
    macro_rules! keys {
        ($($($field:ident).+ $key:literal),* $(,)?) => {
            vec![$(($key, format!("{:?}", args.$($field).+))),*]
        };
    }
    keys!(
        port "port", target "target", prefix "prefix", state "state",
        register_timeout "register-timeout", no_watch "no-watch", generations "generations",
        reexec "reexec",
        events "events", events_size "events-size", events_keep "events-keep", alerts "alerts",
        cluster_name "cluster-name", identity_header "identity-header",
        forward_authorization "forward-authorization", tls_cert "tls-cert", tls_key "tls-key",
        upstream_ca "upstream-ca", upstream_cert "upstream-cert", upstream_key "upstream-key",
        upstream_http "upstream-http", preserve_host "preserve-host",
        trusted_proxy "trusted-proxy", header_timeout "header-timeout",
        connect_timeout "connect-timeout", idle_timeout "idle-timeout",
        request_timeout "request-timeout", max_header_bytes "max-header-bytes",
        max_headers "max-headers", drain_delay "drain-delay", drain_timeout "drain-timeout",
        log_format "log-format", access_log "access-log", admin "admin",
        admin_host "admin-host", trust.plugin_trust "plugin-trust",
        trust.allow_world_writable "allow-world-writable",
    )
}
