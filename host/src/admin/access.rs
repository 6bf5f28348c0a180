//! Who may ask, and from where. The reasons are in the module above.

use super::answer::Refusal;
use crate::Usage;
use arc_swap::ArcSwap;
use http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::uri::{Authority, Uri};
use http::{HeaderMap, StatusCode};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// In place of a token: a header that no other page can send.
const OURS: HeaderName = HeaderName::from_static("x-tenon-admin");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// A shorter token could be guessed.
const SHORTEST: usize = 16;

/// Who may ask. Clones have one token.
#[derive(Clone, Default)]
pub struct Access {
    token: Option<Arc<ArcSwap<String>>>,
    names: Vec<String>,
}

impl Access {
    /// For whoever has the token, or whoever can reach the listener if there is none; under these
    /// names, beside `localhost` and IP addresses.
    pub fn new(token: Option<String>, names: Vec<String>) -> Result<Self, Usage> {
        if let Some(token) = &token
            && (token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(Usage(format!(
                "the admin token must be {SHORTEST} or more letters, digits and signs, without a \
                 space: make one with openssl rand -hex 32"
            )));
        }
        let token = token.map(|token| Arc::new(ArcSwap::from_pointee(token)));
        Ok(Self { token, names })
    }

    /// Takes the token that was configured since. Says what there is to say of that.
    pub(crate) fn renew(&self, configured: &Self) -> Option<&'static str> {
        match (&self.token, &configured.token) {
            (None, None) => None,
            (Some(token), Some(new)) => {
                let changed = *token.load() != *new.load();
                token.store(new.load_full());
                changed.then_some("the admin token is another one now")
            }
            // Who listens where, and who may ask, go together.
            _ => Some("only a restart changes whether the admin API asks for a token"),
        }
    }

    /// Whether a token is needed.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Refuses names that anybody can make resolve to this machine.
    pub(super) fn check_host(&self, host: &Authority) -> Result<(), Refusal> {
        let name = host.host();
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let is_address = match address {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => name.parse::<IpAddr>().is_ok(),
        };
        let known = || {
            let names = self.names.iter().map(String::as_str).chain(["localhost"]);
            names.into_iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        if is_address || known() {
            return Ok(());
        }
        let what = format!(
            "{name:?} is no name of this host: use its address, or give --admin-host {name} to it"
        );
        Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, what))
    }

    pub(super) fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(token) = &self.token else { return Ok(()) };
        let Some(given) = bearer(headers) else {
            let what = "send the admin token: Authorization: Bearer TOKEN";
            return Err(Refusal::unauthorized(what, "Bearer realm=\"tenon\""));
        };
        // How long the token is may be known.
        if bool::from(given.as_bytes().ct_eq(token.load().as_bytes())) {
            return Ok(());
        }
        let challenge = "Bearer realm=\"tenon\", error=\"invalid_token\"";
        Err(Refusal::unauthorized("this is not the admin token", challenge))
    }

    /// Where there is no token, what changes something has a header that says it is meant.
    pub(super) fn check_header(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.has_token() || headers.contains_key(OURS) {
            return Ok(());
        }
        Err(Refusal::forbidden("send X-Tenon-Admin: 1, which no page of others can"))
    }
}

/// The credentials of RFC 6750, section 2.1.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What the request was sent to (RFC 9112, section 3.2.2): the target's authority, else `Host`.
pub(super) fn host(head: &Parts) -> Result<Authority, Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Authority::try_from(host.as_bytes()).ok(),
        _ => None,
    };
    let host = host.filter(|host| !host.as_str().contains('@'));
    let host = host.ok_or_else(|| Refusal::bad_request("send one Host, as in 127.0.0.1:9901"))?;
    Ok(head.uri.authority().cloned().unwrap_or(host))
}

/// Refuses what a browser says is from a page of somebody else's. Programs say nothing of that.
pub(super) fn same_origin(headers: &HeaderMap, host: &Authority) -> Result<(), Refusal> {
    if headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin") {
        return Err(Refusal::forbidden("the request comes from a page of another site"));
    }
    let ours = |origin: &http::HeaderValue| {
        let origin = Uri::try_from(origin.as_bytes()).ok();
        let authority = origin.as_ref().and_then(Uri::authority);
        authority.is_some_and(|it| it.as_str().eq_ignore_ascii_case(host.as_str()))
    };
    match headers.get_all(ORIGIN).iter().all(ours) {
        true => Ok(()),
        false => Err(Refusal::forbidden("the request comes from a page of another origin")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_fits_into_a_header() {
        for bad in ["", "0123456789abcde", "0123456789 abcdef", "0123456789abcdefä"] {
            let error = Access::new(Some(bad.to_owned()), Vec::new()).err().unwrap();
            assert!(error.to_string().contains("16 or more"), "{bad:?}");
        }
        let good = Access::new(Some("0123456789abcdef".to_owned()), Vec::new()).unwrap();
        let check = |value: &str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
            good.check_token(&headers).is_ok()
        };
        assert!(check("Bearer 0123456789abcdef"));
        assert!(check("bearer  0123456789abcdef"));
        for wrong in ["0123456789abcdef", "Basic 0123456789abcdef", "Bearer", "Bearer ", "Bearer 0"]
        {
            assert!(!check(wrong), "{wrong}");
        }
        assert!(good.check_token(&HeaderMap::new()).is_err());
    }

    #[test]
    fn names_that_can_be_rebound_are_refused() {
        let access = Access::new(None, vec!["proxy.example".to_owned()]).unwrap();
        let check = |host: &str| access.check_host(&host.parse().unwrap()).is_ok();
        for good in [
            "127.0.0.1",
            "127.0.0.1:9901",
            "[::1]:9901",
            "10.0.0.1",
            "LocalHost:1",
            "Proxy.Example",
        ] {
            assert!(check(good), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:9901", "x"] {
            assert!(!check(bad), "{bad}");
        }
    }

    #[test]
    fn what_a_browser_says_of_where_it_is_from_counts() {
        let host = "127.0.0.1:9901".parse().unwrap();
        let check = |headers: &[(&HeaderName, &str)]| {
            let headers =
                headers.iter().map(|(name, value)| ((*name).clone(), value.parse().unwrap()));
            same_origin(&headers.collect(), &host).is_ok()
        };
        assert!(check(&[]), "a program");
        assert!(check(&[(&ORIGIN, "http://127.0.0.1:9901"), (&FETCH_SITE, "same-origin")]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!check(&[(&FETCH_SITE, site)]), "{site}");
        }
        for origin in
            ["null", "http://127.0.0.1", "http://localhost:9901", "http://127.0.0.1:9901.evil", ""]
        {
            assert!(!check(&[(&ORIGIN, origin)]), "{origin}");
        }
        assert!(!check(&[(&ORIGIN, "http://127.0.0.1:9901"), (&ORIGIN, "http://evil.example")]));
    }
}
