//! The built-in `authenticator`: HTTP basic authentication with one user (RFC 7617).

use crate::span::under;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use plugin_interface::{Authenticator, Exchange, Response, Result, Verdict};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Padding is required by the standard, and forgotten by some clients.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// User, colon and password have at most so many bytes; what is longer is wrong.
const LONGEST: usize = 1024;

/// The user who may log in. The password is not kept, only a hash of it with the user.
#[derive(Clone)]
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
        let Some(token) = basic_token(value) else { return Ok(Verdict::Abstain) };
        let mut buffer = [0; LONGEST];
        let decoded = BASE64.decode_slice(token, &mut buffer).unwrap_or_default();
        // User and password in one: the time says neither which was wrong, nor, since hashes are
        // compared, how long either is.
        let hash: [u8; 32] = Sha256::digest(&buffer[..decoded]).into();
        if hash.ct_eq(&self.0.hash).into() {
            return Ok(Verdict::Accept(self.0.user.clone()));
        }
        under(|| tracing::debug!("wrong user or password"));
        let response = Response::text(401, "401 Unauthorized\n");
        Ok(Verdict::Reject(response.header("www-authenticate", self.challenge())))
    }
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
