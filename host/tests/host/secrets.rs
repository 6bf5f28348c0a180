//! Where the password comes from, and where it must not be seen.

use crate::{assert_ends, basic};
use fixtures::{Host, Launch, Upstream, get};
use std::fs;

const SECRET: &str = "hunter2-and-more";

/// Sends requests, right and wrong ones, and then looks for the password everywhere.
fn assert_hidden(host: &Host) {
    let credentials = basic(&format!("test:{SECRET}"));
    for (value, status) in [(credentials.as_str(), 200), ("Basic eDp4", 401)] {
        assert_eq!(get(host.address(), "/", &[("Authorization", value)]).status, status);
        host.wait_for_stdout(&format!("status={status}"));
    }
    let command = fs::read(format!("/proc/{}/cmdline", host.pid())).unwrap();
    let command = String::from_utf8_lossy(&command);
    assert!(command.contains("--target"), "{command}");
    for text in [command.into_owned(), host.log(), host.stdout()] {
        for secret in [SECRET, &credentials["Basic ".len()..]] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn a_password_from_a_file_is_seen_nowhere() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let args = [
        format!("--target={}", upstream.url()),
        "--basic-user=test".to_owned(),
        format!("--basic-password-file={}", file.display()),
        "--log=trace".to_owned(),
    ];
    for text in [SECRET.to_owned(), format!("{SECRET}\n"), format!("{SECRET}\r\nmore\n")] {
        fs::write(&file, &text).unwrap();
        assert_hidden(&Host::start(&args));
    }
}

#[test]
fn a_password_from_the_environment_is_seen_nowhere() {
    let upstream = Upstream::echo();
    let args = [format!("--target={}", upstream.url()), "--log=trace".to_owned()];
    let launch = Launch::new(&args).env("TENON_BASIC_USER", "test");
    assert_hidden(&launch.env("TENON_BASIC_PASSWORD", SECRET).start());
}

#[test]
fn a_password_from_the_configuration_file_is_seen_nowhere() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.toml");
    fs::write(&file, format!("basic-user = 'test'\nbasic-password = '{SECRET}'")).unwrap();
    let args = [
        format!("--target={}", upstream.url()),
        format!("--config={}", file.display()),
        "--log=trace".to_owned(),
    ];
    assert_hidden(&Host::start(&args));
}

#[test]
fn who_writes_a_password_into_the_command_is_warned() {
    let args = ["--target=http://127.0.0.1:1", "--basic-user=test"];
    let host = Host::start(&[&args[..], &["--basic-password=hunter2"]].concat());
    let line = host.wait_for_log("can be read in the process list");
    assert!(line.contains("--basic-password-file") && !line.contains("hunter2"), "{line}");
}

#[test]
fn a_password_file_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let args = [
        "--target=http://127.0.0.1:1".to_owned(),
        "--basic-user=test".to_owned(),
        format!("--basic-password-file={}", file.display()),
    ];
    let missing = format!("the password file {} cannot be read", file.display());
    assert_ends(&Host::fails(&args), 1, &[&missing]);
    fs::write(&file, "\nsecond line").unwrap();
    assert_ends(&Host::fails(&args), 2, &["password is to be the password, and is empty"]);
    let both = [&args[..], &["--basic-password=x".to_owned()]].concat();
    assert_ends(&Host::fails(&both), 2, &["'--basic-password", "cannot be used with"]);
}
