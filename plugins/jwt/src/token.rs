//! Tokens: whose they are, and why not.

use crate::keys::Keys;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{decode, decode_header};
use serde_json::{Map, Value};

/// The claims of a token that one of `keys` has signed and that is valid now; otherwise why not, in
/// words fit for the client.
pub(crate) fn verify(token: &[u8], keys: &Keys) -> Result<Map<String, Value>, &'static str> {
    // Unsecured tokens (`none`) and encrypted ones end here: their `alg` is none that we know.
    let header = decode_header(token).map_err(|error| reason(&error))?;
    if header.crit.is_some() {
        // RFC 7515, section 4.1.11: what we do not understand must not be ignored.
        return Err("the token has a critical parameter that is not understood");
    }
    let key = keys.find(header.kid.as_deref(), header.alg).ok_or("no key fits the token")?;
    let token = decode(token, &key.decoding, &key.validation).map_err(|error| reason(&error))?;
    Ok(token.claims)
}

fn reason(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidSignature => "the signature does not match",
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks a required claim",
        _ => "the token is malformed",
    }
}

#[cfg(test)]
mod tests {
    use super::verify;
    use crate::config::Config;
    use crate::crypto;
    use crate::keys::Keys;
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use jsonwebtoken::get_current_timestamp;
    use ring::hmac;
    use serde_json::{Value, json};

    const SECRET: &[u8] = b"32 bytes at least, says RFC 7518";

    fn config(more: &Value) -> Config {
        let mut config = json!({ "jwks_file": "unused" });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Config::parse(&config.to_string()).unwrap()
    }

    fn keys(jwks: &Value, more: &Value) -> Keys {
        crypto::install();
        Keys::parse(jwks.to_string().as_bytes(), &config(more)).unwrap()
    }

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../tests/tokens.json")).unwrap()
    }

    fn encode(text: impl AsRef<[u8]>) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(text)
    }

    fn oct(secret: &[u8]) -> Value {
        json!({ "kty": "oct", "kid": "1", "k": encode(secret) })
    }

    /// A token signed with `secret` by HS256, whatever its header says.
    fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        format!("{message}.{}", encode(hmac::sign(&key, message.as_bytes())))
    }

    /// What becomes of a token with these claims.
    fn verdict(claims: &Value, more: &Value) -> Result<(), &'static str> {
        let token = signed(&json!({ "alg": "HS256" }), claims, SECRET);
        let keys = keys(&json!({ "keys": [oct(SECRET)] }), more);
        verify(token.as_bytes(), &keys).map(|_| ())
    }

    #[test]
    fn every_algorithm_verifies_what_another_implementation_signed() {
        let vectors = vectors();
        let keys = keys(&vectors["jwks"], &json!({ "audience": "tenon" }));
        let tokens = vectors["tokens"].as_object().unwrap();
        assert_eq!(tokens.len(), 12);
        for (algorithm, token) in tokens {
            let token = token.as_str().unwrap();
            let claims = verify(token.as_bytes(), &keys).expect(algorithm);
            assert_eq!(claims["sub"], "alice", "{algorithm}");

            // One bit of the signature's first byte.
            let (message, signature) = token.rsplit_once('.').unwrap();
            let mut signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
            signature[0] ^= 1;
            let forged = format!("{message}.{}", encode(signature));
            assert_eq!(
                verify(forged.as_bytes(), &keys),
                Err("the signature does not match"),
                "{algorithm}"
            );
        }
    }

    #[test]
    fn the_example_of_rfc_7515_is_signed_well_and_long_expired() {
        // Appendix A.1.
        let key = json!({ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZ\
            H75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" });
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA\
            4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJ\
            U1p1r_wW1gFWFOEjXk";
        let keys = keys(&json!({ "keys": [key] }), &json!({}));
        assert_eq!(verify(token.as_bytes(), &keys), Err("the token has expired"));
    }

    #[test]
    fn a_public_key_is_never_taken_for_a_secret() {
        let vectors = vectors();
        let keys = keys(&vectors["jwks"], &json!({}));
        for jwk in vectors["jwks"]["keys"].as_array().unwrap() {
            let Some(public) = ["n", "x"].iter().find_map(|&field| jwk[field].as_str()) else {
                continue;
            };
            let public = BASE64_URL_SAFE_NO_PAD.decode(public).unwrap();
            let header = json!({ "alg": "HS256", "kid": jwk["kid"] });
            let claims = json!({ "sub": "mallory", "exp": get_current_timestamp() + 60 });
            let forged = signed(&header, &claims, &public);
            assert_eq!(verify(forged.as_bytes(), &keys), Err("no key fits the token"));
        }
    }

    #[test]
    fn a_secret_verifies_no_public_key_signature() {
        let keys = keys(&json!({ "keys": [oct(SECRET)] }), &json!({}));
        for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
            let claims = json!({ "exp": get_current_timestamp() + 60 });
            let forged = signed(&json!({ "alg": algorithm }), &claims, SECRET);
            assert_eq!(verify(forged.as_bytes(), &keys), Err("no key fits the token"));
        }
    }

    #[test]
    fn unsecured_and_malformed_tokens_are_refused() {
        let keys = keys(&json!({ "keys": [oct(SECRET)] }), &json!({}));
        let claims = json!({ "exp": get_current_timestamp() + 60 });
        for algorithm in ["none", "None", "nOnE", "HS1", ""] {
            let (header, body) = (json!({ "alg": algorithm }), encode(claims.to_string()));
            let unsigned = format!("{}.{body}.", encode(header.to_string()));
            assert_eq!(verify(unsigned.as_bytes(), &keys), Err("the token is malformed"));
            let signed = signed(&header, &claims, SECRET);
            assert_eq!(verify(signed.as_bytes(), &keys), Err("the token is malformed"));
        }
        let good = signed(&json!({ "alg": "HS256" }), &claims, SECRET);
        assert!(verify(good.as_bytes(), &keys).is_ok());
        let padded = format!("{good}=");
        let fourth = format!("{good}.x");
        for bad in ["", ".", "..", "...", "a.b.c", "\u{ff}.\u{ff}.\u{ff}", &padded, &fourth] {
            assert_eq!(verify(bad.as_bytes(), &keys), Err("the token is malformed"), "{bad:?}");
        }
        let header = json!({ "alg": "HS256", "crit": ["exp"] });
        assert_eq!(
            verify(signed(&header, &claims, SECRET).as_bytes(), &keys),
            Err("the token has a critical parameter that is not understood")
        );
    }

    #[test]
    fn a_token_is_good_between_nbf_and_exp() {
        let (now, strict) = (get_current_timestamp(), json!({ "leeway_seconds": 0 }));
        let none = json!({});
        assert_eq!(verdict(&json!({ "exp": now + 60 }), &strict), Ok(()));
        assert_eq!(verdict(&json!({ "exp": now - 10 }), &strict), Err("the token has expired"));
        assert_eq!(verdict(&json!({ "exp": now - 10 }), &none), Ok(()));
        assert_eq!(verdict(&json!({ "exp": now - 100 }), &none), Err("the token has expired"));
        let early = |nbf| json!({ "exp": now + 600, "nbf": nbf });
        assert_eq!(verdict(&early(now), &strict), Ok(()));
        assert_eq!(verdict(&early(now + 30), &strict), Err("the token is not valid yet"));
        assert_eq!(verdict(&early(now + 30), &none), Ok(()));
        assert_eq!(verdict(&early(now + 300), &none), Err("the token is not valid yet"));

        assert_eq!(verdict(&none, &none), Err("the token lacks a required claim"));
        assert_eq!(verdict(&none, &json!({ "require_exp": false })), Ok(()));
        let old = json!({ "exp": now - 100 });
        assert_eq!(verdict(&old, &json!({ "require_exp": false })), Err("the token has expired"));
        for exp in [json!("tomorrow"), json!(-1), json!(1e30), json!(null)] {
            assert!(verdict(&json!({ "exp": exp }), &none).is_err(), "{exp}");
        }
    }

    #[test]
    fn issuer_and_audience_must_be_the_configured_ones() {
        let exp = get_current_timestamp() + 60;
        let ours = json!({ "issuer": "us", "audience": "tenon" });
        let token = |iss: Value, aud: Value| json!({ "exp": exp, "iss": iss, "aud": aud });
        assert_eq!(verdict(&token(json!("us"), json!("tenon")), &ours), Ok(()));
        assert_eq!(verdict(&token(json!("us"), json!(["x", "tenon"])), &ours), Ok(()));
        let other_issuer = token(json!("them"), json!("tenon"));
        assert_eq!(verdict(&other_issuer, &ours), Err("the token is of another issuer"));
        let other_audience = token(json!("us"), json!(["x"]));
        assert_eq!(verdict(&other_audience, &ours), Err("the token is for another audience"));
        for claims in [
            json!({ "exp": exp, "iss": "us" }),
            json!({ "exp": exp, "aud": "tenon" }),
            token(json!("us"), json!(1)),
            token(json!(1), json!("tenon")),
        ] {
            assert_eq!(verdict(&claims, &ours), Err("the token lacks a required claim"));
        }
        // Who has no name is not the one that a token is for.
        let claims = json!({ "exp": exp, "aud": "tenon" });
        assert_eq!(verdict(&claims, &json!({})), Err("the token is for another audience"));
    }
}
