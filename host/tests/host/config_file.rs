//! The configuration file: every key, its mistakes, and that flags go before it.

use crate::{assert_ends, basic};
use fixtures::{Host, Upstream, get, library};
use std::path::PathBuf;
use tempfile::TempDir;

fn file(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("host.toml");
    std::fs::write(&path, text).unwrap();
    (folder, format!("--config={}", path.display()))
}

#[test]
fn every_flag_may_stand_in_the_file() {
    let (upstream, files) = (Upstream::echo(), fixtures::certificates());
    let state = tempfile::tempdir().unwrap();
    let text = format!(
        r#"
port = "127.0.0.1:0"
url = "{target}"
prefix = "/"
state = "{state}/state"
patches-dir = "{state}"
plugin-dir = ["{state}"]
register-timeout = "10s"
basic-user = "test"
basic-password = "test"
realm = "file"
identity-header = "X-User"
forward-authorization = true
tls-cert = "{cert}"
tls-key = "{key}"
upstream-ca = "{ca}"
upstream-cert = "{client_cert}"
upstream-key = "{client_key}"
upstream-http = "auto"
preserve-host = true
trusted-proxy = ["127.0.0.1", "10.0.0.0/8"]
header-timeout = "30s"
connect-timeout = "5s"
idle-timeout = "1m"
request-timeout = "1m 30s"
max-header-bytes = 8192
max-headers = 50
drain-delay = "0s"
drain-timeout = "10s"
log = "info"
log-format = "json"
access-log = "{state}/access.log"
admin = "127.0.0.1:0"

[[pre-plugin]]
path = "{pre}"

[[post-plugin]]
path = "{post}"
config = {{ header = "X-User" }}
"#,
        target = upstream.url(),
        state = state.path().display(),
        cert = files.server_certificate.display(),
        key = files.server_key.display(),
        ca = files.ca.display(),
        client_cert = files.client_certificate.display(),
        client_key = files.client_key.display(),
        pre = library("pre-plugin").display(),
        post = library("post-plugin").display(),
    );
    let (_folder, config) = file(&text);
    let port = "--port=127.0.0.1:0"; // the kit would give one anyway
    let host = Host::start(&[&config, port]);
    host.wait_for_log("metrics are at");
    let mut connection = fixtures::Connection::tls(host.address(), files.client(false));
    let request = format!(
        "GET /a HTTP/1.1\r\nHost: tenon.test\r\nX-Forwarded-For: 192.0.2.1\r\n\
         Authorization: {}\r\n\r\n",
        basic("test:test")
    );
    connection.send(request);
    assert_eq!(connection.read().status, 200, "{}", host.log());
    let seen = upstream.last();
    assert_eq!(seen.values("host"), ["tenon.test"]);
    assert_eq!(seen.values("x-user"), ["test"]);
    assert_eq!(seen.values("authorization").len(), 1);
    assert_eq!(seen.values("x-forwarded-for"), ["192.0.2.1, 127.0.0.1"]);
    assert_eq!(seen.values("x-trace-id").len(), 1);
    connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let challenge = "Basic realm=\"file\", charset=\"UTF-8\"";
    assert_eq!(connection.read().header("www-authenticate"), Some(challenge));
    drop(connection);
    assert!(host.stop().success());
    let records = std::fs::read_to_string(state.path().join("access.log")).unwrap();
    assert_eq!(records.lines().count(), 2, "{records}");
    assert!(records.starts_with('{') && records.contains("\"client\":\"192.0.2.1\""), "{records}");
}

#[test]
fn flags_go_before_the_file() {
    let (upstream, other) = (Upstream::echo(), Upstream::echo());
    let text = format!(
        "target = '{}'\nbasic-user = 'file'\nbasic-password = 'file'\nrealm = 'file'\n\
         [[pre-plugin]]\npath = '{}'\n",
        other.url(),
        library("set-header").display()
    );
    let (_folder, config) = file(&text);
    let target = format!("--target={}", upstream.url());
    let plugin = format!("--pre-plugin={}", library("pre-plugin").display());
    let password = ["--basic-user=flag", "--basic-password=flag"];
    let host = Host::start(&[&config, &target, &plugin, password[0], password[1]]);
    let status = |it: &str| get(host.address(), "/", &[("Authorization", &basic(it))]).status;
    assert_eq!([status("file:file"), status("flag:file"), status("file:flag")], [401; 3]);
    assert_eq!(
        get(host.address(), "/", &[]).header("www-authenticate").unwrap().find("file"),
        Some(13)
    );
    assert_eq!(status("flag:flag"), 200);
    assert!(other.requests().is_empty());
    let seen = upstream.last();
    assert!(seen.header("x-set-on-request").is_some() && seen.header("x-trace-id").is_some());
}

#[test]
fn the_environment_goes_before_the_file() {
    let upstream = Upstream::echo();
    let (_folder, config) = file("basic-user = 'file'\nbasic-password = 'file'");
    let args = [config, format!("--target={}", upstream.url())];
    let launch = fixtures::Launch::new(&args).env("TENON_BASIC_USER", "env");
    let host = launch.env("TENON_BASIC_PASSWORD", "env").start();
    let status = |it: &str| get(host.address(), "/", &[("Authorization", &basic(it))]).status;
    assert_eq!([status("env:env"), status("env:file"), status("file:file")], [200, 401, 401]);
}

#[test]
fn a_mistake_is_wrong_usage_and_names_file_line_and_key() {
    for (text, line, key) in [
        ("prefix = '/'\ntagret = 'x'", "line 2", "unknown field `tagret`"),
        ("\n\nidle-timeout = 'soon'", "line 3", "\"soon\" is not a time"),
        ("idle-timeout = 5", "line 1", "expected a string"),
        ("max-headers = -1", "line 1", "expected usize"),
        ("port = 'x:y'", "line 1", "is nowhere to listen"),
        ("trusted-proxy = ['10.0.0.0']\nadmin = 'x:y'", "line 2", "is nowhere to listen"),
        ("trusted-proxy = ['x']", "line 1", "\"x\" is not a network"),
        ("upstream-http = '3'", "line 1", "unknown variant `3`"),
        ("[[pre-plugin]]\nconfig = {}", "line 1", "missing field `path`"),
        ("[[pre-plugin]]\npath = 'a'\nconfg = {}", "line 3", "unknown field `confg`"),
        ("prefix = '/", "line 1", "string"),
    ] {
        let (_folder, config) = file(text);
        let output = Host::fails(&[&config, "--target=http://127.0.0.1:1"]);
        assert_ends(&output, 2, &["host.toml: TOML parse error", line]);
        assert!(output.stderr.contains(key), "{key} is not in {output:?}");
    }
    let (_folder, config) = file("[patches.reverse_prxy]\nconfig = {}");
    let points = "the patch points are reverse_proxy, authenticator, error_page";
    let output = Host::fails(&[&config, "--target=http://127.0.0.1:1"]);
    assert_ends(&output, 2, &["[patches.reverse_prxy]: ", points]);
    let output = Host::fails(&["--config=/nowhere/host.toml"]);
    assert_ends(&output, 1, &["the configuration file /nowhere/host.toml cannot be read: No such"]);
}

/// What a patch is told is its own business: this one takes nothing, and says so.
#[test]
fn a_patch_gets_its_table_as_json() {
    let patches = crate::folder_of(&[("reverse_proxy.so", &library("reverse-proxy-patch"))]);
    let text = format!(
        "target = 'http://127.0.0.1:1'\npatches-dir = '{}'\n[patches.reverse_proxy]\n",
        patches.path().display()
    );
    let (_folder, config) = file(&format!("{text}config = {{ a = 1 }}"));
    let words = "it could not register: this patch takes no configuration; remove it";
    assert_ends(&Host::fails(&[&config]), 1, &["the patch of reverse_proxy is not usable", words]);
    let (_folder, config) = file(&format!("{text}config = {{}}"));
    Host::start(&[&config]).wait_for_log("Loading patched reverse_proxy module");
}
