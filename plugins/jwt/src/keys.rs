//! The keys of a JWK set (RFC 7517) that can verify tokens.

use crate::config::Config;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Validation};
use plugin_interface::{Error, Result, tracing};

/// The keys in use, each with the checks of the tokens that it signs.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Debug)]
pub(crate) struct Key {
    id: Option<String>,
    pub(crate) decoding: DecodingKey,
    /// Names the algorithms that this key, and no other kind of key, is for.
    pub(crate) validation: Validation,
}

impl Keys {
    /// Reads the file; also what was in it, to see later whether it has changed.
    pub(crate) fn read(config: &Config) -> Result<(Self, Vec<u8>)> {
        let path = config.jwks_file.display();
        let text = std::fs::read(&config.jwks_file)
            .map_err(|error| Error::new(format_args!("\"jwks_file\": {path}: {error}")))?;
        let keys = Self::parse(&text, config)
            .map_err(|error| error.context(format_args!("\"jwks_file\": {path}")))?;
        Ok((keys, text))
    }

    pub(crate) fn parse(text: &[u8], config: &Config) -> Result<Self> {
        let set: JwkSet = serde_json::from_slice(text)
            .map_err(|error| Error::new(format_args!("it is not a JWK set: {error}")))?;
        let mut keys = Vec::new();
        for (index, jwk) in set.keys.iter().enumerate() {
            match key(jwk, config) {
                Ok(key) => keys.push(key),
                // Sets may have keys for other purposes (RFC 7517, section 5).
                Err(reason) => tracing::warn!(
                    number = index + 1,
                    kid = jwk.common.key_id,
                    reason,
                    "skipped a key of the JWK set"
                ),
            }
        }
        if keys.is_empty() {
            return Err(Error::new("it has no key that can verify tokens"));
        }
        Ok(Self(keys))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The only key for a token with this header: the one of that id, or, without an id, the one
    /// for that algorithm (RFC 7515, appendix D).
    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let fits = |key: &&Key| {
            (id.is_none() || id == key.id.as_deref())
                && key.validation.algorithms.contains(&algorithm)
        };
        let mut fitting = self.0.iter().filter(fits);
        fitting.next().filter(|_| fitting.next().is_none())
    }
}

fn key(jwk: &Jwk, config: &Config) -> Result<Key, &'static str> {
    let common = &jwk.common;
    if common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return Err("its use is not sig");
    }
    if common.key_operations.as_ref().is_some_and(|all| !all.contains(&KeyOperations::Verify)) {
        return Err("its key_ops do not have verify");
    }
    let decoding = DecodingKey::from_jwk(jwk).map_err(|_| "its type is unknown or incomplete")?;
    let mut algorithms = algorithms(&jwk.algorithm, &decoding)?;
    if let Some(only) = common.key_algorithm {
        algorithms.retain(|&algorithm| only == algorithm.into());
    }
    if algorithms.is_empty() {
        return Err("its alg does not go with its type and size");
    }
    algorithms.retain(|&algorithm| config.allows(algorithm));
    if algorithms.is_empty() {
        return Err("the configuration allows none of its algorithms");
    }
    Ok(Key { id: common.key_id.clone(), decoding, validation: config.validation(algorithms) })
}

/// What a key of this type and size is for: the algorithm follows from the key, never from the
/// token alone.
fn algorithms(
    parameters: &AlgorithmParameters,
    key: &DecodingKey,
) -> Result<Vec<Algorithm>, &'static str> {
    let bytes = match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, .. } => n,
        DecodingKeyKind::SecretOrDer(bytes) => bytes,
    };
    let size = bytes.len();
    let curve = match parameters {
        AlgorithmParameters::EllipticCurve(curve) => Some(&curve.curve),
        AlgorithmParameters::OctetKeyPair(pair) => Some(&pair.curve),
        _ => None,
    };
    let family = key.family();
    let fits = |algorithm: &Algorithm| match algorithm {
        // As long as the hash at least (RFC 7518, section 3.2).
        Algorithm::HS256 => size >= 32,
        Algorithm::HS384 => size >= 48,
        Algorithm::HS512 => size >= 64,
        // An uncompressed point, and as many octets as the curve has (sections 3.4, 6.2.1.2).
        Algorithm::ES256 => curve == Some(&EllipticCurve::P256) && size == 1 + 2 * 32,
        Algorithm::ES384 => curve == Some(&EllipticCurve::P384) && size == 1 + 2 * 48,
        // RFC 8037, section 2.
        Algorithm::EdDSA => curve == Some(&EllipticCurve::Ed25519) && size == 32,
        // 2048 bits at least, without leading zeros (RFC 7518, sections 3.3, 3.5, 6.3.1.1).
        _ => (256..=1024).contains(&size) && bytes.first().is_some_and(|&first| first != 0),
    };
    let algorithms: Vec<_> = family.algorithms().iter().copied().filter(fits).collect();
    if algorithms.is_empty() {
        return Err("it is too short or malformed for its type");
    }
    Ok(algorithms)
}

#[cfg(test)]
mod tests {
    use super::Keys;
    use crate::config::Config;
    use jsonwebtoken::Algorithm::{ES256, HS256, HS512, PS512, RS256};
    use serde_json::{Value, json};

    fn parse(keys: &[Value], config: &str) -> Result<Keys, String> {
        let config = Config::parse(config).unwrap();
        let set = json!({ "keys": keys }).to_string();
        Keys::parse(set.as_bytes(), &config).map_err(|error| error.to_string())
    }

    fn keys(keys: &[Value]) -> Keys {
        parse(keys, r#"{"jwks_file": "unused"}"#).unwrap()
    }

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../tests/tokens.json")).unwrap()
    }

    /// The RSA key of the vectors with other fields.
    fn rsa(more: &Value) -> Value {
        let mut key = vectors()["jwks"]["keys"][0].clone();
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    #[test]
    fn a_token_with_a_key_id_gets_that_key() {
        let keys = keys(&[rsa(&json!({ "kid": "a" })), rsa(&json!({ "kid": "b" }))]);
        assert_eq!(keys.find(Some("b"), RS256).unwrap().id.as_deref(), Some("b"));
        assert!(keys.find(Some("c"), RS256).is_none());
        assert!(keys.find(Some(""), RS256).is_none());
        assert!(keys.find(Some("a"), ES256).is_none());
    }

    #[test]
    fn a_token_without_a_key_id_gets_the_only_key_that_fits() {
        let keys = keys(vectors()["jwks"]["keys"].as_array().unwrap());
        assert_eq!(keys.find(None, RS256).unwrap().id.as_deref(), Some("rsa"));
        assert_eq!(keys.find(None, ES256).unwrap().id.as_deref(), Some("p256"));
        let twice = super::tests::keys(&[rsa(&json!({})), rsa(&json!({ "kid": "b" }))]);
        assert!(twice.find(None, RS256).is_none());
    }

    #[test]
    fn a_key_is_for_its_own_algorithms_only() {
        let all = keys(&[rsa(&json!({}))]);
        assert!(all.find(None, RS256).is_some() && all.find(None, PS512).is_some());
        assert!(all.find(None, HS256).is_none());
        let one = keys(&[rsa(&json!({ "alg": "RS256" }))]);
        assert!(one.find(None, RS256).is_some() && one.find(None, PS512).is_none());
        // 32 bytes: enough for HS256, not for HS512.
        let k = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let secret = keys(&[json!({ "kty": "oct", "k": k })]);
        assert!(secret.find(None, HS256).is_some() && secret.find(None, HS512).is_none());
        let config = r#"{"jwks_file": "unused", "algorithms": ["PS512", "ES256"]}"#;
        let configured = parse(&[rsa(&json!({}))], config).unwrap();
        assert!(configured.find(None, PS512).is_some() && configured.find(None, RS256).is_none());
    }

    #[test]
    fn keys_that_cannot_verify_are_skipped() {
        let p256 = &vectors()["jwks"]["keys"][1];
        let unusable = [
            rsa(&json!({ "use": "enc" })),
            rsa(&json!({ "key_ops": ["sign"] })),
            rsa(&json!({ "alg": "RSA-OAEP" })),
            rsa(&json!({ "alg": "ES256" })),
            rsa(&json!({ "n": "AQAB" })),
            rsa(&json!({ "n": "not base64" })),
            rsa(&json!({ "kty": "RSB" })),
            vectors()["weak_rsa_key"].clone(),
            json!({ "kty": "oct", "k": "c2hvcnQ" }),
            json!({ "kty": "EC", "crv": "P-256", "x": p256["x"], "y": "AQAB" }),
            json!({ "kty": "EC", "crv": "P-384", "x": p256["x"], "y": p256["y"] }),
            json!({ "kty": "EC", "crv": "secp256k1", "x": p256["x"], "y": p256["y"] }),
            json!({ "kty": "OKP", "crv": "X25519", "x": p256["x"] }),
            json!({ "kty": "OKP", "crv": "P-256", "x": p256["x"] }),
            json!({}),
        ];
        for key in &unusable {
            let error = parse(std::slice::from_ref(key), r#"{"jwks_file": "f"}"#).unwrap_err();
            assert_eq!(error, "it has no key that can verify tokens", "{key}");
        }
        let mut mixed = unusable.to_vec();
        mixed.push(rsa(&json!({})));
        assert_eq!(keys(&mixed).len(), 1);
    }

    #[test]
    fn a_file_that_is_no_key_set_is_refused_by_its_name() {
        let config = Config::parse(r#"{"jwks_file": "/nonexistent/jwks.json"}"#).unwrap();
        let error = Keys::read(&config).unwrap_err().to_string();
        assert!(
            error.starts_with("\"jwks_file\": /nonexistent/jwks.json: No such file"),
            "{error}"
        );
        let error = Keys::parse(b"{\"key\": []}", &config).unwrap_err().to_string();
        assert!(error.starts_with("it is not a JWK set: missing field `keys`"), "{error}");
    }
}
