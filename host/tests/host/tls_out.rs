//! TLS to the upstream: whom the host trusts, and as whom it shows itself.

use crate::assert_ends;
use fixtures::{Certificates, Host, Upstream, certificates, get, library};
use std::fs;
use std::path::Path;

fn flag(name: &str, file: &Path) -> String {
    format!("--{name}={}", file.display())
}

fn target(upstream: &Upstream) -> String {
    format!("--target={}", upstream.url())
}

/// A request that the upstream never gets: the client learns nothing, the log everything.
fn assert_not_reached(upstream: &Upstream, args: &[String], reason: &str) {
    let host = Host::start(args);
    let reply = get(host.address(), "/", &[]);
    assert_eq!((reply.status, reply.text()), (502, "502 Bad Gateway\n"));
    let line = host.wait_for_log("502");
    assert!(line.contains(&upstream.url()) && line.contains(reason), "{line}");
    assert!(upstream.requests().is_empty());
}

#[test]
fn an_upstream_of_a_known_authority_is_reached() {
    let files = certificates();
    let upstream = Upstream::echo_tls(files.server(false));
    let host = Host::start(&[target(&upstream), flag("upstream-ca", &files.ca)]);
    let reply = get(host.address(), "/a", &[]);
    assert_eq!((reply.status, upstream.last().target.as_str()), (200, "/a"), "{}", host.log());
    assert_eq!(upstream.last().values("x-forwarded-proto"), ["http"]);
}

#[test]
fn an_upstream_of_an_unknown_authority_is_a_502_with_the_reason_in_the_log() {
    let (files, others) = (certificates(), certificates());
    let upstream = Upstream::echo_tls(files.server(false));
    assert_not_reached(&upstream, &[target(&upstream)], "UnknownIssuer");
    let args = [target(&upstream), flag("upstream-ca", &others.ca)];
    // Both authorities have the same name, and different keys.
    assert_not_reached(&upstream, &args, "BadSignature");
}

/// The certificate is for `localhost`, `127.0.0.1` and `::1`: not for another way to write the same
/// address.
#[test]
fn an_upstream_of_another_name_is_a_502_with_the_reason_in_the_log() {
    let files = certificates();
    let upstream = Upstream::echo_tls(files.server(false));
    let target = format!("https://[::ffff:127.0.0.1]:{}", upstream.address().port());
    let host = Host::start(&[format!("--target={target}"), flag("upstream-ca", &files.ca)]);
    assert_eq!(get(host.address(), "/", &[]).status, 502);
    let line = host.wait_for_log("502");
    assert!(line.contains(&target) && line.contains("not valid for name"), "{line}");
    assert!(upstream.requests().is_empty());
}

fn with_client(upstream: &Upstream, files: &Certificates, of: &Certificates) -> Vec<String> {
    vec![
        target(upstream),
        flag("upstream-ca", &files.ca),
        flag("upstream-cert", &of.client_certificate),
        flag("upstream-key", &of.client_key),
    ]
}

#[test]
fn an_upstream_that_wants_a_certificate_gets_the_configured_one() {
    let (files, others) = (certificates(), certificates());
    let upstream = Upstream::echo_tls(files.server(true));
    let args = [target(&upstream), flag("upstream-ca", &files.ca)];
    assert_not_reached(&upstream, &args, "CertificateRequired");
    // Of another authority: the upstream does not take it.
    assert_not_reached(&upstream, &with_client(&upstream, &files, &others), "alert");

    let host = Host::start(&with_client(&upstream, &files, &files));
    assert_eq!(get(host.address(), "/", &[]).status, 200, "{}", host.log());
    assert_eq!(upstream.requests().len(), 1);
}

/// The host's client is one for its own requests and those of plugins.
#[test]
fn plugins_fetch_with_the_hosts_settings() {
    let files = certificates();
    let (upstream, other) = (Upstream::echo(), Upstream::echo_tls(files.server(true)));
    let plugin = format!("--pre-plugin={}", library("logs").display());
    let args = [&with_client(&upstream, &files, &files)[..], &[plugin]].concat();
    let host = Host::start(&args);
    let url = format!("{}/fetched", other.url());
    let reply = get(host.address(), "/", &[("x-do", "http"), ("x-url", &url)]);
    assert!(reply.text().starts_with("200 GET /fetched HTTP/1.1\r\n"), "{}", host.log());
    assert!(upstream.requests().is_empty());
}

#[test]
fn files_that_cannot_be_used_stop_the_start_and_are_named() {
    let files = certificates();
    let missing = files.folder().join("missing.pem");
    let fails = |args: &[String], code: i32, parts: &[&str]| {
        let output = Host::fails(&[&["--target=https://127.0.0.1:1".to_owned()], args].concat());
        assert_ends(&output, code, parts);
    };
    let file = format!("{}: ", missing.display());
    fails(&[flag("upstream-ca", &missing)], 1, &[&file, "No such file"]);
    let pair = |certificate, key| [flag("upstream-cert", certificate), flag("upstream-key", key)];
    fails(&pair(&missing, &files.client_key), 1, &[&file, "No such file"]);
    fails(&pair(&files.client_certificate, &missing), 1, &[&file, "No such file"]);
    let file = format!("{}: ", files.client_certificate.display());
    fails(&pair(&files.client_certificate, &files.server_key), 1, &[&file, "key"]);
    fails(&[flag("upstream-cert", &missing)], 2, &["--upstream-key"]);
    fs::write(&missing, "").unwrap();
    let file = format!("{}: there is no certificate in it", missing.display());
    fails(&[flag("upstream-ca", &missing)], 1, &[&file]);
}
