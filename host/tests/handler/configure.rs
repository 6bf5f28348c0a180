//! What `configure` writes, and that `start` and a server over TLS take it.

use crate::kit::{Scene, Sink, handler};
use fake_teleport::{World, midnight};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

fn server(folder: &Path) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = |name: &str| CertificateDer::from_pem_file(folder.join(name)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca.crt")).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(vec![certificate("server.crt")], key)
        .unwrap();
    Arc::new(config)
}

#[test]
fn what_it_writes_is_what_start_and_fluentd_need() {
    let scene = Scene::new(World::new(1, 1, 50), "");
    let folder = scene.path("out");
    let (out, addr) = (folder.to_str().unwrap(), scene.fake.address().to_string());
    let output = handler(&["configure", out, &addr, "--ip", "127.0.0.1"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    let expected = ["ca.crt", "ca.key", "client.crt", "client.key", "fluent.conf", "server.crt"];
    let more = ["server.key", "teleport-event-handler-role.yaml", "teleport-event-handler.toml"];
    assert_eq!(names, [&expected[..], &more].concat());
    let role = fs::read_to_string(folder.join("teleport-event-handler-role.yaml")).unwrap();
    assert!(role.contains("resources: ['lock']"), "{role}");

    // The same files, with a server that asks for the client's certificate.
    let tls = server(&folder);
    let sink = Sink::wrapped(Box::new(move |stream| {
        let connection = ServerConnection::new(tls.clone()).unwrap();
        Some(Box::new(StreamOwned::new(connection, stream)))
    }));
    fs::copy(scene.path("identity"), folder.join("identity")).unwrap();
    let config = folder.join("teleport-event-handler.toml");
    let urls =
        ["test.log", "session"].map(|path| format!("https://127.0.0.1:{}/{path}", sink.port()));
    let start = humantime::format_rfc3339_seconds(midnight(30)).to_string();
    let output = handler(&[
        "start",
        "-c",
        config.to_str().unwrap(),
        "--start-time",
        &start,
        "--exit-on-last-event",
        "--fluentd-url",
        &urls[0],
        "--fluentd-session-url",
        &urls[1],
    ]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(!output.stderr.contains("is not known"), "{}", output.stderr);
    assert_eq!(sink.came("/test.log").len(), 50);
}

#[test]
fn it_replaces_nothing_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let args = ["configure", out, "example.com:443", "my-ca", "my-server", "my-client"];
    assert_eq!(handler(&args).code, Some(0));
    let before = fs::read(folder.path().join("my-ca.crt")).unwrap();
    let refused = handler(&args);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("is there already; --force replaces it"), "{}", refused.stderr);
    assert_eq!(fs::read(folder.path().join("my-ca.crt")).unwrap(), before);
    assert_eq!(handler(&[&args[..], &["--force"]].concat()).code, Some(0));
    assert_ne!(fs::read(folder.path().join("my-ca.crt")).unwrap(), before);
    for names in [["a", "a", "b"], ["a/b", "c", "d"]] {
        let output = handler(&[&args[..3], &names].concat());
        assert_eq!(output.code, Some(2), "{names:?}: {}", output.stderr);
    }
}

#[test]
fn the_address_has_the_original_s_default() {
    let folder = tempfile::tempdir().unwrap();
    let output = handler(&["configure", folder.path().to_str().unwrap()]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let config = fs::read_to_string(folder.path().join("teleport-event-handler.toml")).unwrap();
    assert!(config.contains("addr = \"localhost:3025\""), "{config}");
}
