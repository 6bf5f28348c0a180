//! PRE plugin: takes bearer tokens (RFC 6750) that are JSON Web Tokens (RFC 7519) for
//! authentication. Registers an authenticator that is asked before the built-in one.

mod config;
mod crypto;
mod keys;
mod token;
mod watch;

use arc_swap::ArcSwap;
use config::Config;
use keys::Keys;
use plugin_interface::{
    Authenticator, Exchange, HostServices, Registrar, Response, Result, Verdict, tracing,
};
use serde_json::{Map, Value};
use std::sync::Arc;

plugin_interface::export_plugin!(register);

fn register(registrar: &mut Registrar<'_>, host: HostServices, config: &str) -> Result<()> {
    crypto::install();
    let config = Config::parse(config)?;
    let (keys, source) = Keys::read(&config)?;
    let keys = Arc::new(ArcSwap::from_pointee(keys));
    host.spawn(watch::watch(host, config.clone(), source, Arc::downgrade(&keys)));
    registrar.authenticator("jwt", Jwt { config, keys });
    Ok(())
}

struct Jwt {
    config: Config,
    keys: Arc<ArcSwap<Keys>>,
}

impl Authenticator for Jwt {
    fn challenge(&self) -> String {
        format!("Bearer realm=\"{}\"", self.config.realm)
    }

    fn authenticate(&self, exchange: &mut Exchange<'_>) -> Result<Verdict> {
        let Some(token) = exchange.header("authorization").and_then(bearer) else {
            return Ok(Verdict::Abstain);
        };
        let verified = token::verify(token, &self.keys.load())
            .and_then(|claims| Ok((self.identity(&claims)?.to_owned(), claims)));
        let (user, claims) = match verified {
            Ok(verified) => verified,
            Err(reason) => {
                tracing::debug!(reason, "refused a bearer token");
                return Ok(Verdict::Reject(self.refusal(reason)));
            }
        };
        for (claim, key) in [("iss", "jwt.issuer"), ("sub", "jwt.subject"), ("scope", "jwt.scope")]
        {
            if let Some(value) = claims.get(claim).and_then(Value::as_str) {
                exchange.set_value(key, value);
            }
        }
        Ok(Verdict::Accept(user))
    }
}

impl Jwt {
    fn identity<'a>(&self, claims: &'a Map<String, Value>) -> Result<&'a str, &'static str> {
        let user = claims.get(&self.config.identity_claim).and_then(Value::as_str);
        user.filter(|user| !user.is_empty()).ok_or("the token names no user")
    }

    /// RFC 6750, section 3. The reasons are few and fixed: nothing that the client has sent comes
    /// back.
    fn refusal(&self, reason: &'static str) -> Response {
        let realm = &self.config.realm;
        let challenge = format!(
            "Bearer realm=\"{realm}\", error=\"invalid_token\", error_description=\"{reason}\""
        );
        Response::text(401, format!("{reason}\n")).header("www-authenticate", challenge)
    }
}

/// The token of `Bearer <token>`; none under another scheme. The scheme is compared without case
/// (RFC 9110, section 11.1).
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = authorization.split_at_checked(b"bearer".len())?;
    let ends = rest.first().is_none_or(|&byte| byte == b' ');
    (scheme.eq_ignore_ascii_case(b"bearer") && ends).then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn only_the_bearer_scheme_is_ours() {
        assert_eq!(bearer(b"Bearer a.b.c"), Some(&b"a.b.c"[..]));
        assert_eq!(bearer(b"bEARER   a.b.c "), Some(&b"a.b.c"[..]));
        assert_eq!(bearer(b"Bearer"), Some(&b""[..]));
        assert_eq!(bearer(b"Bearer "), Some(&b""[..]));
        assert_eq!(bearer(b"Bearers a.b.c"), None);
        assert_eq!(bearer(b"Basic dGVzdDp0ZXN0"), None);
        assert_eq!(bearer(b"Bear"), None);
        assert_eq!(bearer(b""), None);
    }
}
