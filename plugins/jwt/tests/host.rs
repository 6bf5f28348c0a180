//! The plugin in the real host.
#![allow(clippy::unwrap_used)] // a test fails loudly

use fixtures::{Host, Upstream, get, library};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn vectors() -> Value {
    serde_json::from_str(include_str!("tokens.json")).unwrap()
}

fn bearer(algorithm: &str) -> String {
    format!("Bearer {}", vectors()["tokens"][algorithm].as_str().unwrap())
}

/// A folder with the keys in `jwks.json`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, &vectors()["jwks"].to_string());
    folder
}

/// Replaces the file in one step, as one should.
fn write(folder: &TempDir, text: &str) {
    let (new, file) = (folder.path().join("new"), folder.path().join("jwks.json"));
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

fn plugin(jwks_file: &Path) -> String {
    let config = json!({ "jwks_file": jwks_file, "audience": "tenon", "realm": "tests" });
    format!("{}={config}", library("jwt-plugin").display())
}

/// With the plugin that tells the upstream who the user is.
fn start(upstream: &Upstream, folder: &TempDir, more: &[&str]) -> Host {
    let (url, post) = (upstream.url(), library("post-plugin"));
    let jwt = plugin(&folder.path().join("jwks.json"));
    let mut args =
        vec!["--target", &url, "--pre-plugin", &jwt, "--post-plugin", post.to_str().unwrap()];
    args.extend(more);
    Host::start(&args)
}

#[test]
fn a_good_token_is_enough_whatever_its_algorithm() {
    let (upstream, folder) = (Upstream::echo(), folder());
    let host = start(&upstream, &folder, &["--basic-user=test", "--basic-password=test"]);
    for algorithm in vectors()["tokens"].as_object().unwrap().keys() {
        let token = bearer(algorithm);
        let headers = [("Authorization", token.as_str()), ("Username", "root")];
        assert_eq!(get(host.address(), "/", &headers).status, 200, "{algorithm}");
        assert_eq!(upstream.last().values("username"), ["alice"], "{algorithm}");
    }
}

#[test]
fn without_a_token_the_password_counts() {
    let (upstream, folder) = (Upstream::echo(), folder());
    let host = start(&upstream, &folder, &["--basic-user=test", "--basic-password=test"]);
    let password = [("Authorization", "Basic dGVzdDp0ZXN0")];
    assert_eq!(get(host.address(), "/", &password).status, 200);
    assert_eq!(upstream.last().values("username"), ["test"]);

    let reply = get(host.address(), "/", &[]);
    assert_eq!(reply.status, 401);
    let challenges = reply.values("www-authenticate");
    assert!(challenges.contains(&"Bearer realm=\"tests\""), "{challenges:?}");
    assert!(challenges.iter().any(|it| it.starts_with("Basic ")), "{challenges:?}");
}

#[test]
fn without_a_password_set_a_token_is_needed() {
    let (upstream, folder) = (Upstream::echo(), folder());
    let host = start(&upstream, &folder, &[]);
    let reply = get(host.address(), "/", &[("Authorization", "Basic dGVzdDp0ZXN0")]);
    assert_eq!(reply.status, 401);
    assert_eq!(reply.values("www-authenticate"), ["Bearer realm=\"tests\""]);
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(get(host.address(), "/", &[("Authorization", &bearer("ES256"))]).status, 200);
}

#[test]
fn a_bad_token_is_refused_with_the_reason_and_none_of_its_content() {
    let (upstream, folder) = (Upstream::echo(), folder());
    let host = start(&upstream, &folder, &["--basic-user=test", "--basic-password=test"]);
    let good = bearer("RS256");
    let (message, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{message}.{}", "A".repeat(342));
    for (token, reason) in [
        (forged.as_str(), "the signature does not match"),
        ("Bearer secret", "the token is malformed"),
    ] {
        let reply = get(host.address(), "/", &[("Authorization", token)]);
        assert_eq!((reply.status, reply.text()), (401, format!("{reason}\n").as_str()));
        let challenge = format!(
            "Bearer realm=\"tests\", error=\"invalid_token\", error_description=\"{reason}\""
        );
        assert_eq!(reply.values("www-authenticate"), [challenge]);
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn new_keys_are_taken_into_use_and_bad_ones_are_not() {
    let (upstream, folder) = (Upstream::echo(), folder());
    let host = start(&upstream, &folder, &[]);
    let status =
        |algorithm: &str| get(host.address(), "/", &[("Authorization", &bearer(algorithm))]).status;
    assert_eq!((status("RS256"), status("ES256")), (200, 200));

    let mut jwks = vectors()["jwks"].clone();
    jwks["keys"].as_array_mut().unwrap().retain(|key| key["kid"] != "rsa");
    write(&folder, &jwks.to_string());
    host.wait_for_log("new keys are in use");
    assert_eq!((status("RS256"), status("ES256")), (401, 200));

    write(&folder, "{\"keys\": [");
    host.wait_for_log("bad keys; the old ones stay");
    assert_eq!((status("RS256"), status("ES256")), (401, 200));
}

#[test]
fn a_file_without_usable_keys_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let fails = || Host::fails(&["--target", "http://127.0.0.1:1", "--pre-plugin", &plugin(&file)]);
    let failed = fails();
    let expected = format!("\"jwks_file\": {}: No such file", file.display());
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(failed.stderr.contains(&expected), "{}", failed.stderr);

    write(&folder, &json!({ "keys": [vectors()["weak_rsa_key"]] }).to_string());
    let failed = fails();
    let expected =
        format!("\"jwks_file\": {}: it has no key that can verify tokens", file.display());
    assert!(failed.stderr.contains(&expected), "{}", failed.stderr);
}
