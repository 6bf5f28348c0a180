//! What the proxy is told: validated once, never parsed again.

use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use std::path::PathBuf;
use std::time::Duration;

/// How requests are treated.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where they go.
    pub target: Target,
    /// The path that this proxy serves.
    pub prefix: Prefix,
    /// The header that tells the upstream who is logged in: removed from what clients send.
    pub identity_header: HeaderName,
    /// Whether the upstream sees the credentials that this proxy has checked.
    pub forward_authorization: bool,
    /// Whether the upstream sees the client's `Host` in place of the target's.
    pub preserve_host: bool,
    /// Peers whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How large a message's head may be.
    pub limits: Limits,
    /// How connections end at a shutdown.
    pub drain: Drain,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the start of a connection, or the end of an answer, to the end of the next request's
    /// head; the TLS handshake has as long.
    pub header: Duration,
    /// To connect to the upstream.
    pub connect: Duration,
    /// Without a byte while one is waited for: for the upstream's answer, in a body, or for a client
    /// to read what it is sent.
    pub idle: Duration,
    /// From the request's head to the end of the answer's head.
    pub request: Option<Duration>,
}

/// How large a message's head may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes, the request line included.
    pub header_bytes: usize,
    /// Header fields.
    pub headers: usize,
}

/// How connections end at a shutdown.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// New connections are still taken for so long, and every answer says that it is the last on
    /// its connection: clients that keep connections open lose no request.
    pub delay: Duration,
    /// What is under way then has so long to end.
    pub timeout: Duration,
}

/// How the upstream is spoken to.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The upstream that most requests go to, if there is one.
    pub target: Option<Target>,
    /// The protocol.
    pub http: UpstreamHttp,
    /// PEM file of certificate authorities to trust in place of the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of the client certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// How long things may take.
    pub timeouts: Timeouts,
}

/// The protocol to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamHttp {
    /// What TLS negotiates; without TLS HTTP/1.1, or HTTP/2 for gRPC.
    Auto,
    /// HTTP/1.1.
    One,
    /// HTTP/2, without TLS with prior knowledge.
    Two,
}

/// The upstream's URL: scheme, authority and the path in front of every request's.
#[derive(Clone, Debug)]
pub struct Target {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
    /// The authority as a `Host` header.
    pub host: HeaderValue,
    /// Without a slash at its end; usually empty.
    pub base: String,
    /// The URL as it was given.
    pub text: String,
}

impl Target {
    /// How one is written.
    const FORM: &str = "write http://HOST[:PORT][/PATH] or https://…";

    /// Parses `http://127.0.0.1:8081` or `https://example.com/base`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} is not an upstream's URL: {why}");
        let uri: Uri = text.parse().map_err(|_| wrong(Self::FORM))?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(wrong(Self::FORM));
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(wrong("only http and https are spoken"));
        }
        if authority.as_str().contains('@') {
            return Err(wrong("a user and password cannot be in it"));
        }
        // What follows the host, if anything, is a port: `Uri` does not look at it.
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if authority.host().is_empty() || !(port.is_empty() || authority.port_u16().is_some()) {
            return Err(wrong(Self::FORM));
        }
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        if path.query().is_some() {
            return Err(wrong("a query cannot be in it"));
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|e| wrong(&e.to_string()))?;
        let base = path.path().trim_end_matches('/').to_owned();
        Ok(Self { scheme, authority, host, base, text: text.to_owned() })
    }
}

/// The path that this proxy serves: `/`, or `/a/b` without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Parses a path; a slash at its end means nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let valid = text.starts_with('/') && !text.contains(['?', '#']);
        if !valid || text.parse::<PathAndQuery>().is_err() {
            return Err(format!("{text:?} is not a path; write / or /prefix"));
        }
        let trimmed = text.trim_end_matches('/');
        Ok(Self(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() }))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_checked_at_the_start() {
        let target = Target::parse("http://127.0.0.1:8081/base/").unwrap();
        assert_eq!((target.authority.as_str(), target.base.as_str()), ("127.0.0.1:8081", "/base"));
        for wrong in [
            "127.0.0.1:8081",
            "ftp://a",
            "http://u:p@a",
            "http://a?b",
            "/a",
            "",
            "http://",
            "http://a:99999",
            "http://a:",
            "http://:80",
        ] {
            let error = Target::parse(wrong).unwrap_err();
            assert!(error.contains("is not an upstream's URL"), "{wrong}: {error}");
        }
    }

    #[test]
    fn prefixes_have_a_slash_in_front_and_none_behind() {
        for (text, prefix) in [("/", "/"), ("/a", "/a"), ("/a/", "/a"), ("//", "/")] {
            assert_eq!(Prefix::parse(text).unwrap().as_str(), prefix);
        }
        for wrong in ["", "a", "/a?b", "/ a"] {
            assert!(Prefix::parse(wrong).is_err(), "{wrong}");
        }
    }
}
