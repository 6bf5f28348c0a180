//! The command line: its help, its exit codes, and what it says of mistakes.

use crate::assert_ends;
use fixtures::{Host, Output, Upstream, certificates};
use std::fs::File;
use std::net::TcpListener;
use std::process::{Command, Stdio};

const NAMES: &str = "echo inspect locks --port --target --url --prefix --config --state \
    --pre-plugin --post-plugin --patches --plugin-dir --register-timeout --basic-user \
    TENON_BASIC_USER --basic-password TENON_BASIC_PASSWORD --basic-password-file --realm \
    --identity-header --forward-authorization --tls-cert --tls-key --upstream-ca --upstream-cert \
    --upstream-key --upstream-http --preserve-host --trusted-proxy --header-timeout \
    --connect-timeout --idle-timeout --request-timeout --max-header-bytes --max-headers \
    --drain-delay --drain-timeout --log RUST_LOG --log-format --access-log --admin";

const TARGET: &str = "--target=http://127.0.0.1:1";

/// As in `host … | head -1`, and on a full disk.
#[test]
fn a_reader_who_has_gone_is_no_error_and_a_disk_that_is_full_is_one() {
    let list = |out: Stdio| {
        let mut command = Command::new(fixtures::host());
        command.args(["fixtures", "list-templates"]).stdout(out).output().unwrap()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = list(writer.into());
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{output:?}");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = list(full.into());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said.contains("cannot be written: No space left") && !said.contains("panicked"),
        "{said}"
    );
}

#[test]
fn help_names_all_that_there_is() {
    let help = |args: &[&str]| {
        let Output { code, stdout, stderr } = Host::run(args);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{args:?}");
        stdout
    };
    let all = help(&["--help"]);
    let sentences =
        ["-d, --debug", "[default: :9090]", "Exit codes: 0 fine, 1 failed, 2 wrong usage."];
    for part in NAMES.split_whitespace().chain(sentences) {
        assert!(all.contains(part), "{part} is not in\n{all}");
    }
    assert!(all.lines().all(|line| line.chars().count() <= 100), "{all}");
    let short = help(&["-h"]);
    assert!(short.lines().count() < all.lines().count(), "-h is the short one:\n{short}");
    let echo = help(&["echo", "--help"]);
    assert!(echo.contains("[default: 127.0.0.1:8081]"), "{echo}");
    let inspect = help(&["inspect", "--help"]);
    for part in ["<FILE>", "--json", "--plugin-dir", "exit code 1"] {
        assert!(inspect.contains(part), "{part} is not in\n{inspect}");
    }
    assert!(help(&["--version"]).starts_with("host 0."));
}

/// One sentence on one line, and nothing else.
fn says(args: &[&str], sentence: &str) {
    let output = Host::fails(args);
    let line = format!("host: {sentence}\n");
    assert_eq!((output.code, output.stderr.as_str()), (Some(2), line.as_str()), "{args:?}");
}

#[test]
fn what_cannot_be_is_wrong_usage_in_one_sentence() {
    says(&[], "where to send requests is not said; give --target http://HOST:PORT");
    let form = "write http://HOST[:PORT][/PATH] or https://…";
    for (target, why) in [
        ("127.0.0.1:8081", form),
        ("", form),
        ("http://a:99999", form),
        ("ftp://a", "only http and https are spoken"),
        ("http://u:p@a", "a user and password cannot be in it"),
        ("http://a/?b", "a query cannot be in it"),
    ] {
        let sentence = format!("--target: {target:?} is not an upstream's URL: {why}");
        says(&["--target", target], &sentence);
    }
    for prefix in ["", "a", "/a?b", "/a b", "/#"] {
        let sentence = format!("--prefix: {prefix:?} is not a path; write / or /prefix");
        says(&[TARGET, "--prefix", prefix], &sentence);
    }
    let name = "--identity-header: \"a b\" is not the name of a header";
    says(&[TARGET, "--identity-header=a b"], name);
    for flag in ["--header-timeout", "--connect-timeout", "--idle-timeout", "--request-timeout"] {
        let sentence = format!("{flag} cannot be 0: nothing would ever succeed");
        says(&[TARGET, flag, "0s"], &sentence);
    }
    says(&[TARGET, "--max-header-bytes=8191"], "--max-header-bytes must be at least 8192");
    for count in ["0", "24577"] {
        says(&[TARGET, "--max-headers", count], "--max-headers must be from 1 to 24576");
    }
}

#[test]
fn flags_that_are_none_and_values_that_are_none_are_wrong_usage() {
    let fails = |args: &[&str], parts: &[&str]| {
        assert_ends(&Host::fails(&[&[TARGET], args].concat()), 2, parts);
    };
    fails(&["--tagret=x"], &["unexpected argument '--tagret'"]);
    fails(&["stray"], &["stray"]);
    fails(&["--port=x:y"], &["--port", "is nowhere to listen; write :9090, 127.0.0.1:9090"]);
    fails(&["--idle-timeout=soon"], &["--idle-timeout", "is not a time", "write 30s or 500ms"]);
    fails(&["--drain-timeout=1000000years"], &["--drain-timeout", "more than 100 years"]);
    fails(&["--max-headers=many"], &["--max-headers", "invalid digit"]);
    fails(&["--upstream-http=3"], &["invalid value '3' for '--upstream-http <VERSION>'"]);
    fails(&["--log-format=xml"], &["invalid value 'xml' for '--log-format <FORMAT>'"]);
    fails(&["--trusted-proxy=x"], &["is not a network; write 10.0.0.0/8 or 10.1.2.3"]);
    fails(&["--log=a=b=c"], &["\"a=b=c\" is not a log filter", "write info or host=debug,info"]);
    let json = "the configuration of a.so is not JSON: key must be a string at line 1 column 2";
    fails(&["--pre-plugin=a.so={a}"], &[json]);
    let output = Host::run(&["inspect"]);
    assert_ends(&output, 2, &["required arguments were not provided"]);
    assert_ends(&Host::run(&["frobnicate"]), 2, &["unrecognized subcommand 'frobnicate'"]);
}

#[test]
fn a_port_in_use_is_said_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let words =
        "cannot be listened on; stop what has it, or choose another: Address already in use";
    for flag in ["--port", "--admin"] {
        let output = Host::fails(&[TARGET, flag, &address]);
        assert_ends(&output, 1, &[&format!("{flag} {address} {words}")]);
    }
    let output = Host::run(&["echo", "--port", &address]);
    assert_ends(&output, 1, &[&format!("--port {address} {words}")]);
}

#[test]
fn an_access_log_that_cannot_be_written_stops_the_start() {
    let output = Host::fails(&[TARGET, "--access-log=/nowhere/access.log"]);
    assert_ends(&output, 1, &["the access log /nowhere/access.log cannot be written: No such"]);
}

#[test]
fn a_trusted_proxy_may_be_an_address() {
    let upstream = Upstream::echo();
    let target = format!("--target={}", upstream.url());
    let host = Host::start(&[&target, "--trusted-proxy=127.0.0.1"]);
    fixtures::get(host.address(), "/", &[("X-Forwarded-For", "192.0.2.1")]);
    assert_eq!(upstream.last().values("x-forwarded-for"), ["192.0.2.1, 127.0.0.1"]);
}

#[test]
fn half_of_a_pair_is_wrong_usage_also_in_the_file() {
    let files = certificates();
    let file = files.folder().join("host.toml");
    let config = format!("--config={}", file.display());
    for (key, words) in [
        ("tls-cert", "give both --tls-cert and --tls-key, or neither"),
        ("upstream-key", "give both --upstream-cert and --upstream-key, or neither"),
    ] {
        std::fs::write(&file, format!("{key} = '/x'")).unwrap();
        says(&[TARGET, &config], words);
    }
}
