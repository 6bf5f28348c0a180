//! The `Authorization` header of basic authentication (RFC 7617).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use plugin_interface::Exchange;

/// Padding is required by the standard, and forgotten by some clients.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who the client says it is, and its proof.
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// The header is of the scheme `Basic`, and the rest is wrong.
#[derive(Debug, PartialEq)]
pub(crate) struct Malformed;

impl Credentials {
    /// None under another scheme, or without the header.
    pub(crate) fn of(exchange: &Exchange<'_>) -> Option<Result<Self, Malformed>> {
        Self::parse(exchange.header("authorization")?)
    }

    fn parse(authorization: &[u8]) -> Option<Result<Self, Malformed>> {
        let (scheme, rest) = authorization.split_at_checked(b"basic".len())?;
        // The scheme has no case (RFC 9110, section 11.1).
        if !scheme.eq_ignore_ascii_case(b"basic") || rest.first().is_some_and(|&byte| byte != b' ')
        {
            return None;
        }
        Some(Self::decode(rest.trim_ascii()).ok_or(Malformed))
    }

    /// UTF-8, as our challenge says. The first colon ends the user: a password may have more.
    fn decode(token: &[u8]) -> Option<Self> {
        let text = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Malformed};
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    fn parse(header: &str) -> Option<Result<(String, String), Malformed>> {
        let credentials = Credentials::parse(header.as_bytes())?;
        Some(credentials.map(|found| (found.user, found.password)))
    }

    fn basic(text: impl AsRef<[u8]>) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(text))
    }

    #[test]
    fn user_and_password_are_told_apart_by_the_first_colon() {
        let pair = |user: &str, password: &str| Some(Ok((user.to_owned(), password.to_owned())));
        assert_eq!(parse(&basic("test:test")), pair("test", "test"));
        assert_eq!(parse(&basic("test:a:b:")), pair("test", "a:b:"));
        assert_eq!(parse(&basic("test:")), pair("test", ""));
        assert_eq!(parse(&basic("jürgen:pässword")), pair("jürgen", "pässword"));
        assert_eq!(parse("bASIC  dGVzdDp0ZXN0 "), pair("test", "test"));
        assert_eq!(parse("Basic YTpi"), pair("a", "b"));
        assert_eq!(parse("Basic YTpiYw=="), pair("a", "bc"));
        assert_eq!(parse("Basic YTpiYw"), pair("a", "bc"));
    }

    #[test]
    fn what_is_basic_and_wrong_is_malformed() {
        let no_utf8 = basic(b"\xff:\xff");
        for header in ["Basic", "Basic ", "Basic !", "Basic dGVzdDp0ZXN0 x", &no_utf8, &basic("a")]
        {
            assert_eq!(parse(header), Some(Err(Malformed)), "{header}");
        }
    }

    #[test]
    fn another_scheme_is_not_ours() {
        for header in ["", "Bas", "Bearer a.b.c", "Basics dGVzdDp0ZXN0", "Digest username=\"a\""] {
            assert_eq!(parse(header), None, "{header}");
        }
    }
}
