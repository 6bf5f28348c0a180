//! What of a message's head is passed on, and what belongs to one connection only.

use crate::config::Config;
use crate::failure::Failure;
use crate::service::Connection;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName,
    HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode, Version, request};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The headers that frame a message or belong to one connection (RFC 9110, section 7.6.1). The
/// proxy sets them itself; the name is in lower case.
pub(crate) fn is_framing(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "content-length"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn is_hop_by_hop(name: &str) -> bool {
    name != "content-length" && is_framing(name)
        || matches!(name, "proxy-authenticate" | "proxy-authorization")
}

/// What a request's head says of the request, beside what is passed on.
pub(crate) struct Admitted {
    /// What the client calls us: the target's authority or the `Host` header.
    pub(crate) authority: HeaderValue,
    /// The client's address: the peer's, or what a trusted peer says it is.
    pub(crate) client: SocketAddr,
    /// The protocol that the client wants to switch to.
    pub(crate) upgrade: Option<HeaderValue>,
}

/// The HTTP checks: refuses what is ambiguous or not for a reverse proxy, and takes off the head
/// what is not passed on or not to be believed. What stays is what plugins and upstream see.
pub(crate) fn admit(
    head: &mut request::Parts,
    connection: &Connection,
    config: &Config,
) -> Result<Admitted, Failure> {
    if head.method == Method::CONNECT {
        let what = "CONNECT, which is for forward proxies";
        return Err(Failure::Unsupported { status: StatusCode::METHOD_NOT_ALLOWED, what });
    }
    let authority = authority(head)?;
    if head.version == Version::HTTP_2 {
        admit_http2(head, &authority, config.limits.headers)?;
    }
    let upgrade = match head.headers.keys().any(is_of_connection) {
        true => admit_connection(head)?,
        false => None, // one walk costs less than looking for each
    };
    let trusted = is_trusted(connection.peer.ip(), &config.trusted_proxies);
    remove_claims(&mut head.headers, &config.identity_header, trusted);
    let client = forwarded(&mut head.headers, connection, &authority, trusted, config);
    // From here on the target is a path, whatever form it came in (RFC 9112, section 3.2).
    if head.uri.scheme().is_some() || head.uri.authority().is_some() {
        let target = head.uri.path_and_query().cloned();
        head.uri = target.map(Into::into).unwrap_or_default();
    }
    Ok(Admitted { authority, client, upgrade })
}

fn is_of_connection(name: &HeaderName) -> bool {
    name == EXPECT || is_hop_by_hop(name.as_str())
}

/// What a request says of its connection, and the protocol that it wants to switch to.
fn admit_connection(head: &mut request::Parts) -> Result<Option<HeaderValue>, Failure> {
    if head.headers.contains_key(TRANSFER_ENCODING) && !only_chunked(&head.headers) {
        let what = "a transfer coding other than chunked";
        return Err(Failure::Unsupported { status: StatusCode::NOT_IMPLEMENTED, what });
    }
    if let Some(expect) = head.headers.remove(EXPECT) {
        // hyper sends the 100 as soon as somebody wants the body.
        if !expect.as_bytes().eq_ignore_ascii_case(b"100-continue") {
            let what = "an expectation other than 100-continue";
            return Err(Failure::Unsupported { status: StatusCode::EXPECTATION_FAILED, what });
        }
    }
    let upgrade = take_upgrade(head);
    remove_hop_by_hop(&mut head.headers);
    Ok(upgrade)
}

/// Who is asked: the target's authority if it has one, else the one `Host` (RFC 9112, section
/// 3.2).
fn authority(head: &request::Parts) -> Result<HeaderValue, Failure> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Failure::Malformed("it has more than one Host"));
    }
    if host.is_none() && head.version == Version::HTTP_11 {
        return Err(Failure::Malformed("it has no Host"));
    }
    let authority = match (head.uri.authority(), host) {
        (Some(authority), _) => HeaderValue::from_str(authority.as_str())
            .map_err(|_| Failure::Malformed("the target's host is not valid"))?,
        (None, Some(host)) => host.clone(),
        (None, None) if head.version < Version::HTTP_11 => HeaderValue::from_static(""),
        (None, None) => return Err(Failure::Malformed("it says no host")),
    };
    if !authority.as_bytes().iter().all(|byte| is_host_byte(*byte)) {
        return Err(Failure::Malformed("its Host is not a host"));
    }
    Ok(authority)
}

/// What is particular to HTTP/2 (RFC 9113), and that hyper leaves to us.
fn admit_http2(
    head: &mut request::Parts,
    authority: &HeaderValue,
    most: usize,
) -> Result<(), Failure> {
    if head.headers.len() > most {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(Failure::Unsupported { status, what: "more headers than --max-headers" });
    }
    // Section 8.3.1: a `Host` that names another than the target is malformed.
    let other = |host: &HeaderValue| !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
    if head.headers.get(HOST).is_some_and(other) {
        return Err(Failure::Malformed("its Host is not its authority"));
    }
    // Section 8.2.1. HTTP/1.1 takes white space there off, so an upstream would see another value.
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let padded =
        |value: &HeaderValue| blank(value.as_bytes().first()) || blank(value.as_bytes().last());
    if head.headers.values().any(padded) {
        return Err(Failure::Malformed("a header's value begins or ends with white space"));
    }
    // Section 8.2.3: cookies may come one by one, and go on to HTTP/1.1 in one header.
    if head.headers.get_all(COOKIE).iter().nth(1).is_some() {
        let cookies = head.headers.remove_all(COOKIE);
        let cookies: Vec<&[u8]> = cookies.iter().map(HeaderValue::as_bytes).collect();
        let joined = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
            .map_err(|_| Failure::Malformed("its cookies are not valid"))?;
        head.headers.insert(COOKIE, joined);
    }
    Ok(())
}

/// What a host and a port are made of (RFC 3986, section 3.2.2), without the user before an `@`.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte)
}

fn only_chunked(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(TRANSFER_ENCODING).iter();
    let first = values.next().is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"chunked"));
    first && values.next().is_none()
}

/// The protocol of an upgrade that is passed on. `h2c` is not, nor any choice with it: in a tunnel it
/// would carry requests past this proxy. RFC 9113 has taken it out.
fn take_upgrade(head: &mut request::Parts) -> Option<HeaderValue> {
    let value = head.headers.remove(UPGRADE)?;
    let asked =
        head.version == Version::HTTP_11 && has_token(&head.headers, &CONNECTION, b"upgrade");
    let mut protocols = value.as_bytes().split(|byte| *byte == b',');
    let h2c = protocols.any(|it| it.trim_ascii().eq_ignore_ascii_case(b"h2c"));
    (asked && !h2c).then_some(value)
}

/// Whether a header that is a list, as `Connection` is, names an option.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    let mut values = headers.get_all(name).iter();
    values.any(|value| {
        let mut tokens = value.as_bytes().split(|byte| *byte == b',');
        tokens.any(|it| it.trim_ascii().eq_ignore_ascii_case(token))
    })
}

/// Removes what belongs to one connection (RFC 9110, section 7.6.1), and what `Connection` names.
///
/// `Trailer` stays on a message in chunks: without it hyper does not send the trailers on. `TE`
/// stays as far as it says `trailers`, which gRPC needs.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if !headers.keys().any(|name| is_hop_by_hop(name.as_str())) {
        return; // one walk costs less than looking for each
    }
    for value in headers.remove_all(CONNECTION) {
        for token in value.as_bytes().split(|byte| *byte == b',') {
            let Ok(name) = HeaderName::from_bytes(token.trim_ascii()) else { continue };
            // Framing is not the sender's to hide; nor is the host that was checked above.
            if name != HOST && name != CONTENT_LENGTH && name != TRANSFER_ENCODING && name != TE {
                headers.remove(name);
            }
        }
    }
    let chunked = headers.remove(TRANSFER_ENCODING).is_some();
    if chunked {
        // Left beside it by hyper's client, and then believed by its server (RFC 9112, section 6.3).
        headers.remove(CONTENT_LENGTH);
    } else {
        headers.remove(TRAILER);
    }
    if has_token(headers, &TE, b"trailers") {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    } else {
        headers.remove(TE);
    }
    for name in
        ["keep-alive", "upgrade", "proxy-connection", "proxy-authenticate", "proxy-authorization"]
    {
        headers.remove(name);
    }
}

trait RemoveAll {
    fn remove_all(&mut self, name: HeaderName) -> Vec<HeaderValue>;
}

impl RemoveAll for HeaderMap {
    /// Takes all values of a header. Without one, which is the rule, nothing is allocated.
    fn remove_all(&mut self, name: HeaderName) -> Vec<HeaderValue> {
        match self.entry(name) {
            http::header::Entry::Occupied(entry) => entry.remove_entry_mult().1.collect(),
            http::header::Entry::Vacant(_) => Vec::new(),
        }
    }
}

/// Removes what a client says of itself and cannot be believed: who it is, and unless the peer is
/// trusted where it comes from.
pub(crate) fn remove_claims(headers: &mut HeaderMap, identity: &HeaderName, trusted: bool) {
    let claims = |name: &HeaderName| {
        let text = name.as_str();
        // CGI and its heirs see no difference between `X-User` and `X_User`.
        let same = |byte: u8| if byte == b'_' { b'-' } else { byte };
        text.len() == identity.as_str().len()
            && text.bytes().map(same).eq(identity.as_str().bytes().map(same))
            || !trusted
                && text.starts_with('x')
                && (text.bytes().map(same).take(12).eq("x-forwarded-".bytes())
                    || text.bytes().map(same).eq("x-real-ip".bytes()))
            || !trusted && *name == FORWARDED
    };
    if headers.keys().any(claims) {
        let names: Vec<HeaderName> = headers.keys().filter(|name| claims(name)).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }
}

/// An address as a proxy writes it: some add the port.
fn hop(text: &str) -> Option<IpAddr> {
    let ip = text.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    ip.map(|ip| ip.to_canonical())
}

fn is_trusted(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&ip))
}

/// Sets `X-Forwarded-For`, `-Proto` and `-Host`, and says who the client is.
fn forwarded(
    headers: &mut HeaderMap,
    connection: &Connection,
    authority: &HeaderValue,
    trusted: bool,
    config: &Config,
) -> SocketAddr {
    let mut client = connection.peer;
    let mut for_value = connection.forwarded_for.clone();
    if trusted {
        let before: Vec<String> = headers
            .get_all(X_FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|address| address.trim().to_owned())
            .filter(|address| !address.is_empty())
            .collect();
        // From the right: each trusted hop vouches for the one in front of it.
        for address in before.iter().rev() {
            let Some(ip) = hop(address) else { break };
            client = SocketAddr::new(ip, 0);
            if !is_trusted(ip, &config.trusted_proxies) {
                break;
            }
        }
        if !before.is_empty() {
            let chain = format!("{}, {}", before.join(", "), connection.peer.ip());
            // Each part was a header's, so the whole can be one.
            for_value = HeaderValue::from_str(&chain).unwrap_or(for_value);
        }
    }
    let _ = headers.try_insert(X_FORWARDED_FOR, for_value);
    if !trusted || !headers.contains_key(X_FORWARDED_PROTO) {
        let _ = headers.try_insert(X_FORWARDED_PROTO, HeaderValue::from_static(connection.scheme));
    }
    if !authority.is_empty() && (!trusted || !headers.contains_key(X_FORWARDED_HOST)) {
        let _ = headers.try_insert(X_FORWARDED_HOST, authority.clone());
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| -> (HeaderName, HeaderValue) {
            (name.parse().unwrap(), value.parse().unwrap())
        };
        headers.iter().map(pair).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_belongs_to_a_connection_stays_on_it() {
        let mut headers = map(&[
            ("connection", "close, X-Secret , host, content-length"),
            ("x-secret", "1"),
            ("host", "a"),
            ("content-length", "0"),
            ("keep-alive", "300"),
            ("proxy-connection", "x"),
            ("te", "gzip"),
            ("te", "deflate, trailers"),
            ("trailer", "x"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut headers);
        assert_eq!(names(&headers), ["accept", "content-length", "host", "te"]);
        assert_eq!(headers["te"], "trailers");
        let mut headers =
            map(&[("te", "gzip"), ("trailer", "x"), ("transfer-encoding", "chunked")]);
        remove_hop_by_hop(&mut headers);
        assert_eq!(names(&headers), ["trailer"]);
    }

    #[test]
    fn claims_of_a_stranger_are_removed_in_every_spelling() {
        let identity = HeaderName::from_static("remote-user");
        let sent = [
            ("remote-user", "root"),
            ("remote_user", "root"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x_forwarded_host", "evil"),
            ("x-forwarded-anything", "1"),
            ("x-real-ip", "1.1.1.1"),
            ("forwarded", "for=1.1.1.1"),
            ("x-forward", "fine"),
            ("remote-users", "fine"),
        ];
        let mut headers = map(&sent);
        remove_claims(&mut headers, &identity, false);
        assert_eq!(names(&headers), ["remote-users", "x-forward"]);
        let mut headers = map(&sent);
        remove_claims(&mut headers, &identity, true);
        assert_eq!(headers.len(), sent.len() - 2); // who it is, a proxy does not know either
    }

    #[test]
    fn a_host_is_a_host() {
        assert!(b"a.b:80".iter().chain(b"[::1]:80").all(|byte| is_host_byte(*byte)));
        assert!([b'/', b'@', b' ', b'?', b'#', b'\\', b'"'].iter().all(|it| !is_host_byte(*it)));
    }
}
