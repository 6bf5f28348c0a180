//! From what the user wrote to what the proxy needs: checked here, and nowhere else.

use crate::Usage;
use crate::admin::Access;
use crate::cli::ProxyArgs;
use crate::state::COPIES;
use crate::trust::Trust;
use anyhow::{Context, Result};
use host_proxy::{
    ClientConfig, Config, Credentials, Drain, Limits, Listen, Prefix, Target, Timeouts,
    UpstreamHttp,
};
use http::HeaderName;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of the environment variable with the password.
const PASSWORD: &str = "TENON_BASIC_PASSWORD";
/// The name of the one with the admin token.
const ADMIN_TOKEN: &str = "TENON_ADMIN_TOKEN";

/// The headers that the `http` crate's map can hold.
const MAX_HEADERS: usize = 24_576;

/// A checked configuration of the proxy.
pub(crate) struct Checked {
    pub(crate) listen: Listen,
    pub(crate) proxy: Config,
    pub(crate) client: ClientConfig,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) state: PathBuf,
    pub(crate) register_timeout: Duration,
    pub(crate) trust: Trust,
    pub(crate) access_log: AccessTo,
    pub(crate) admin: Option<(Listen, Access)>,
}

/// Where access records go.
pub(crate) enum AccessTo {
    Off,
    Stdout,
    File(PathBuf),
}

/// Checks the flags, with the file's already among them.
pub(crate) fn check(args: &ProxyArgs) -> Result<Checked> {
    let timeouts = Timeouts {
        header: args.header_timeout.unwrap_or(Duration::from_secs(30)),
        connect: args.connect_timeout.unwrap_or(Duration::from_secs(5)),
        idle: args.idle_timeout.unwrap_or(Duration::from_secs(60)),
        request: args.request_timeout,
    };
    for (flag, time) in [
        ("--header-timeout", Some(timeouts.header)),
        ("--connect-timeout", Some(timeouts.connect)),
        ("--idle-timeout", Some(timeouts.idle)),
        ("--request-timeout", timeouts.request),
    ] {
        if time == Some(Duration::ZERO) {
            return Err(Usage(format!("{flag} cannot be 0: nothing would ever succeed")).into());
        }
    }
    let limits = Limits {
        header_bytes: args.max_header_bytes.unwrap_or(65536),
        headers: args.max_headers.unwrap_or(100),
    };
    if limits.header_bytes < 8192 {
        return Err(Usage("--max-header-bytes must be at least 8192".to_owned()).into());
    }
    if !(1..=MAX_HEADERS).contains(&limits.headers) {
        return Err(Usage(format!("--max-headers must be from 1 to {MAX_HEADERS}")).into());
    }
    if args.generations == Some(0) {
        return Err(
            Usage("--generations cannot be 0: no library could be loaded".to_owned()).into()
        );
    }
    let target = args.target.as_deref().ok_or_else(|| {
        Usage("where to send requests is not said; give --target http://HOST:PORT".to_owned())
    })?;
    let name = args.identity_header.as_deref().unwrap_or("Username");
    let identity_header = name
        .parse::<HeaderName>()
        .map_err(|_| Usage(format!("--identity-header: {name:?} is not the name of a header")))?;
    let proxy = Config {
        target: Target::parse(target).map_err(|error| Usage(format!("--target: {error}")))?,
        prefix: Prefix::parse(args.prefix.as_deref().unwrap_or("/"))
            .map_err(|error| Usage(format!("--prefix: {error}")))?,
        identity_header,
        forward_authorization: args.forward_authorization,
        preserve_host: args.preserve_host,
        trusted_proxies: args.trusted_proxy.clone(),
        timeouts,
        limits,
        drain: Drain {
            delay: args.drain_delay.unwrap_or(Duration::from_millis(500)),
            timeout: args.drain_timeout.unwrap_or(Duration::from_secs(30)),
        },
    };
    let http = match (args.upstream_http.map_or(UpstreamHttp::Auto, Into::into), args.preserve_host)
    {
        // HTTP/2 has no `Host` beside the authority that the connection is for.
        (UpstreamHttp::Two, true) => {
            let text =
                "--preserve-host needs HTTP/1.1 to the upstream: leave --upstream-http 2 out";
            return Err(Usage(text.to_owned()).into());
        }
        (_, true) => UpstreamHttp::One,
        (http, false) => http,
    };
    if args.tls_cert.is_some() != args.tls_key.is_some() {
        return Err(Usage("give both --tls-cert and --tls-key, or neither".to_owned()).into());
    }
    if args.upstream_cert.is_some() != args.upstream_key.is_some() {
        let text = "give both --upstream-cert and --upstream-key, or neither";
        return Err(Usage(text.to_owned()).into());
    }
    let state = args.state.clone().unwrap_or_else(|| PathBuf::from("state"));
    Ok(Checked {
        listen: args.port.unwrap_or(Listen::Everywhere(9090)),
        client: ClientConfig {
            target: Some(proxy.target.clone()),
            http,
            ca: args.upstream_ca.clone(),
            certificate: args.upstream_cert.clone().zip(args.upstream_key.clone()),
            timeouts,
        },
        proxy,
        credentials: credentials(args)?,
        register_timeout: args.register_timeout.unwrap_or(Duration::from_secs(10)),
        trust: Trust::new(&args.trust).with_copies(state.join(COPIES)),
        state,
        access_log: match args.access_log.as_deref() {
            None | Some("-") => AccessTo::Stdout,
            Some("off") => AccessTo::Off,
            Some(path) => AccessTo::File(PathBuf::from(path)),
        },
        admin: admin(args)?,
    })
}

/// Where the admin listener is, and for whom: without a token for this machine alone.
fn admin(args: &ProxyArgs) -> Result<Option<(Listen, Access)>> {
    let token = match (&args.admin_token, &args.admin_token_file) {
        (Some(token), _) => Some(token.clone()),
        (None, Some(path)) => Some(first_line(path, "the file of the admin token")?),
        (None, None) => None,
    };
    let access = Access::new(token, args.admin_host.clone())?;
    let Some(listen) = args.admin else { return Ok(None) };
    let is_loopback = matches!(listen, Listen::At(address) if address.ip().is_loopback());
    if !is_loopback && !access.has_token() {
        return Err(Usage(format!(
            "--admin {listen} can be reached from other machines; use 127.0.0.1:PORT, or give \
             --admin-token-file FILE too"
        ))
        .into());
    }
    Ok(Some((listen, access)))
}

/// The password and the admin token that the environment holds, unless the flags say where they are.
/// Like them it goes before the file: half of each would let nobody in, or another one than was meant.
pub(crate) fn with_environment(mut flags: ProxyArgs) -> ProxyArgs {
    if flags.basic_password.is_none() && flags.basic_password_file.is_none() {
        flags.basic_password = std::env::var(PASSWORD).ok();
    }
    if flags.admin_token_file.is_none() {
        flags.admin_token = std::env::var(ADMIN_TOKEN).ok();
    }
    flags
}

/// User and password, both or neither: with one of them authentication would be off without a word.
fn credentials(args: &ProxyArgs) -> Result<Option<Credentials>> {
    let password = match (&args.basic_password, &args.basic_password_file) {
        (Some(password), _) => Some(password.clone()),
        (None, Some(path)) => {
            let password = first_line(path, "the password file")?;
            if password.is_empty() {
                let path = path.display();
                return Err(Usage(format!(
                    "the first line of {path} is to be the password, and is empty"
                ))
                .into());
            }
            Some(password)
        }
        (None, None) => None,
    };
    let (user, password) = match (&args.basic_user, password) {
        (None, None) => return Ok(None),
        (Some(user), Some(password)) => (user, password),
        (Some(_), None) => {
            return Err(Usage(format!(
                "--basic-user is given without a password: add --basic-password-file FILE or set \
                 {PASSWORD}"
            ))
            .into());
        }
        (None, Some(_)) => {
            let text = "a basic password is given without a user: add --basic-user USER";
            return Err(Usage(text.to_owned()).into());
        }
    };
    let realm = args.realm.as_deref().unwrap_or("tenon");
    Ok(Some(Credentials::new(user, &password, realm).map_err(Usage)?))
}

/// A password, token or secret in a file of its own; `what` is the file's name in an error.
pub(crate) fn first_line(path: &Path, what: &str) -> Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{what} {} cannot be read", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
