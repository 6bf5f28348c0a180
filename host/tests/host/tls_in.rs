//! TLS from clients: what is negotiated, new certificates without a restart, and clear words for
//! files that cannot be used.

use crate::assert_ends;
use fixtures::{Certificates, Connection, Host, Upstream, certificates};
use rustls::{ClientConfig, ClientConnection};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// Connects and gives the protocol that was negotiated, or the error of the handshake.
fn handshake(
    address: SocketAddr,
    config: &ClientConfig,
    alpn: &[&str],
) -> std::io::Result<Option<String>> {
    let mut config = config.clone();
    config.alpn_protocols = alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut tls = ClientConnection::new(config.into(), address.ip().into()).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut socket)?;
    }
    Ok(tls.alpn_protocol().map(|it| String::from_utf8_lossy(it).into_owned()))
}

fn args(upstream: &Upstream, certificate: &Path, key: &Path) -> [String; 3] {
    [
        format!("--target={}", upstream.url()),
        format!("--tls-cert={}", certificate.display()),
        format!("--tls-key={}", key.display()),
    ]
}

fn get(connection: &mut Connection) -> u16 {
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.read().status
}

#[test]
fn clients_get_the_protocol_that_they_ask_for() {
    let (upstream, files) = (Upstream::echo(), certificates());
    let host = Host::start(&args(&upstream, &files.server_certificate, &files.server_key));
    assert!(host.url("/").starts_with("https://"));
    let negotiated = |alpn: &[&str]| handshake(host.address(), &files.client(false), alpn).unwrap();
    assert_eq!(negotiated(&["h2", "http/1.1"]).as_deref(), Some("h2"));
    assert_eq!(negotiated(&["http/1.1", "h2"]).as_deref(), Some("h2"), "the server's order counts");
    assert_eq!(negotiated(&["http/1.1"]).as_deref(), Some("http/1.1"));
    assert_eq!(negotiated(&[]), None);
    let error = handshake(host.address(), &files.client(false), &["spdy/3"]).unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");

    assert_eq!(get(&mut Connection::tls(host.address(), files.client(false))), 200);
    assert_eq!(upstream.last().values("x-forwarded-proto"), ["https"]);
    // A client that speaks without TLS harms nobody.
    let mut plain = Connection::open(host.address());
    plain.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(plain.try_read().is_err());
    assert_eq!(get(&mut Connection::tls(host.address(), files.client(false))), 200);
}

#[test]
fn a_new_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let (upstream, old, new) = (Upstream::echo(), certificates(), certificates());
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let put = |files: &Certificates| {
        fs::copy(&files.server_certificate, &certificate).unwrap();
        fs::copy(&files.server_key, &key).unwrap();
    };
    put(&old);
    let host = Host::start(&args(&upstream, &certificate, &key));
    let trusts =
        |files: &Certificates| handshake(host.address(), &files.client(false), &[]).is_ok();
    assert_eq!((trusts(&old), trusts(&new)), (true, false));
    let mut open = Connection::tls(host.address(), old.client(false));
    assert_eq!(get(&mut open), 200);

    put(&new);
    assert_eq!((trusts(&old), trusts(&new)), (true, false), "not before SIGHUP");
    host.signal(libc::SIGHUP);
    host.wait_for_log("the certificate was read anew");
    assert_eq!((trusts(&old), trusts(&new)), (false, true));
    assert_eq!(get(&mut open), 200, "what is open stays open");

    fs::write(&certificate, "-----BEGIN").unwrap();
    host.signal(libc::SIGHUP);
    let line = host.wait_for_log("the old certificate stays in use");
    assert!(
        line.contains(&format!("{}: there is no certificate", certificate.display())),
        "{line}"
    );
    assert_eq!((trusts(&old), trusts(&new)), (false, true));
}

#[test]
fn files_that_cannot_be_used_stop_the_start_and_are_named() {
    let (upstream, files, others) = (Upstream::echo(), certificates(), certificates());
    let missing = files.folder().join("missing.pem");
    let garbage = files.folder().join("garbage.pem");
    let text = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    fs::write(&garbage, text).unwrap();
    let fails = |certificate: &Path, key: &Path, named: &Path, part: &str| {
        let output = Host::fails(&args(&upstream, certificate, key));
        assert_ends(&output, 1, &[&format!("{}: ", named.display()), part]);
    };
    let (certificate, key) = (&files.server_certificate, &files.server_key);
    fails(&missing, key, &missing, "No such file");
    fails(certificate, &missing, &missing, "No such file");
    fails(key, key, key, "there is no certificate in it, or it is not PEM");
    fails(certificate, certificate, certificate, "there is no private key in it, or it is not PEM");
    fails(&garbage, key, &garbage, "base64");
    fails(certificate, &others.server_key, certificate, "not usable with its key");

    for flag in ["--tls-cert", "--tls-key"] {
        let one = format!("{flag}={}", certificate.display());
        let output = Host::fails(&["--target=http://127.0.0.1:1", &one]);
        assert_ends(&output, 2, &["--tls-"]);
    }
}
