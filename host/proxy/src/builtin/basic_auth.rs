//! The built-in `authenticator`: HTTP basic authentication with one user (RFC 7617).

use crate::span::under;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use plugin_interface::{Authenticator, Exchange, Response, Result, Verdict};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use subtle::ConstantTimeEq;

/// Padding is required by the standard, and forgotten by some clients.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// User, colon and password have at most so many bytes; what is longer is wrong.
pub(crate) const LONGEST: usize = 1024;

/// The user who may log in. The password is not kept, only a hash of it with the user.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    realm: String,
    hash: [u8; 32],
}

impl Credentials {
    /// Checks what a user can be: not empty, without a colon (RFC 7617, section 2) and without
    /// control characters; nor can the password be empty. The error says what is wrong.
    pub fn new(user: &str, password: &str, realm: &str) -> std::result::Result<Self, String> {
        if user.is_empty() || password.is_empty() {
            return Err("basic authentication needs a user and a password, neither empty".into());
        }
        if user.contains(':') {
            return Err(format!("the basic user {user:?} has a colon, which no client can send"));
        }
        if user.chars().chain(password.chars()).any(char::is_control) {
            return Err("a basic user or password cannot have control characters".into());
        }
        if user.len() + 1 + password.len() > LONGEST - 3 {
            return Err(format!("user and password together have more than {} bytes", LONGEST - 4));
        }
        if realm.chars().any(|it| it.is_control() || it == '"' || it == '\\' || !it.is_ascii()) {
            return Err(format!("the realm {realm:?} has a quote, or a letter that is not ASCII"));
        }
        let hash = Sha256::digest(format!("{user}:{password}")).into();
        Ok(Self { user: user.to_owned(), realm: realm.to_owned(), hash })
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Asks for [`Credentials`].
pub(crate) struct BasicAuth(pub(crate) Credentials);

impl Authenticator for BasicAuth {
    fn challenge(&self) -> String {
        format!("Basic realm=\"{}\", charset=\"UTF-8\"", self.0.realm)
    }

    fn authenticate(&self, exchange: &mut Exchange<'_>) -> Result<Verdict> {
        let Some(value) = exchange.header("authorization") else { return Ok(Verdict::Abstain) };
        let mut buffer = [0; LONGEST];
        let Some(sent) = decode(value, &mut buffer) else { return Ok(Verdict::Abstain) };
        // User and password in one: the time says neither which was wrong, nor, since hashes are
        // compared, how long either is.
        let hash: [u8; 32] = Sha256::digest(sent).into();
        if hash.ct_eq(&self.0.hash).into() {
            return Ok(Verdict::Accept(self.0.user.clone()));
        }
        under(|| tracing::debug!("wrong user or password"));
        let response = Response::text(401, "401 Unauthorized\n");
        Ok(Verdict::Reject(response.header("www-authenticate", self.challenge())))
    }
}

/// The user that an `Authorization` claims; none under another scheme than basic. Anybody can send
/// anything: what is not UTF-8 is replaced, and what is not a user and a password has no user.
pub(crate) fn claimed_user<'b>(
    authorization: &[u8],
    buffer: &'b mut [u8; LONGEST],
) -> Option<Cow<'b, str>> {
    let sent = decode(authorization, buffer)?;
    let user = memchr::memchr(b':', sent).map_or(&[][..], |colon| &sent[..colon]);
    Some(String::from_utf8_lossy(user))
}

/// User, colon and password, or whatever a client has sent in their place; empty if it is too long
/// or no Base64, and none under another scheme than basic.
fn decode<'b>(authorization: &[u8], buffer: &'b mut [u8; LONGEST]) -> Option<&'b [u8]> {
    let token = basic_token(authorization)?;
    let decoded = BASE64.decode_slice(token, buffer).unwrap_or_default();
    Some(&buffer[..decoded])
}

/// What follows `Basic `, in whatever case and after however many spaces (RFC 9110, section 11.4).
fn basic_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"basic") || token.first() != Some(&b' ') {
        return None;
    }
    Some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_basic_scheme_is_read() {
        let yes = [&b"Basic YQ=="[..], b"basic YQ==", b"BASIC  YQ== "];
        assert!(yes.iter().all(|value| basic_token(value) == Some(b"YQ==")));
        let no = [&b"Bearer YQ=="[..], b"BasicYQ==", b"Basi", b"", b"Basic\tYQ=="];
        assert!(no.iter().all(|value| basic_token(value).is_none()));
    }

    #[test]
    fn a_claim_is_text_whatever_was_sent() {
        let claim = |sent: &[u8]| {
            let value = format!("Basic {}", BASE64.encode(sent));
            claimed_user(value.as_bytes(), &mut [0; LONGEST]).map(Cow::into_owned)
        };
        for (sent, user) in [
            (&b"user:password"[..], "user"),
            (b"user:", "user"),
            (b"user:a:b", "user"),
            (b":password", ""),
            (b"a password alone", ""), // is for no log
            (b"", ""),
            (b"a\xff\xc3:p", "a\u{fffd}\u{fffd}"),
            ("jürgen:p".as_bytes(), "jürgen"),
        ] {
            assert_eq!(claim(sent).as_deref(), Some(user), "{sent:?}");
        }
        assert_eq!(claim(&[b'a'; LONGEST + 1]).as_deref(), Some(""));
        let other = |value: &[u8]| claimed_user(value, &mut [0; LONGEST]).is_none();
        assert!(other(b"Bearer dTpw") && other(b""));
    }

    #[test]
    fn what_cannot_be_a_user_is_refused() {
        assert!(Credentials::new("u", "p:q", "tenon").is_ok());
        for (user, password, realm) in
            [("", "p", "r"), ("u", "", "r"), ("a:b", "p", "r"), ("u", "p\n", "r"), ("u", "p", "\"")]
        {
            assert!(Credentials::new(user, password, realm).is_err(), "{user} {password} {realm}");
        }
        let text = format!("{:?}", Credentials::new("u", "secret", "r").unwrap());
        assert!(!text.contains("secret"), "{text}");
    }
}
