//! A panic in a plugin is a failure of one request, wherever it happens.

use crate::with_plugins;
use fixtures::{Connection, Host, Upstream, exchange, get, library};
use std::fs;
use tempfile::TempDir;

fn start(upstream: &Upstream, config: &str) -> Host {
    let mut plugin = library("panics-everywhere").into_os_string();
    if !config.is_empty() {
        plugin.push(format!("={config}"));
    }
    Host::start(&with_plugins(upstream, &[plugin.as_ref()]))
}

/// The process and the plugin go on: the next request passes.
fn assert_unharmed(host: &Host) {
    let reply = get(host.address(), "/next", &[]);
    assert_eq!(reply.status, 200, "the next request should pass:\n{}", host.log());
}

/// A 500 that tells the client nothing and the log where it was.
fn assert_is_a_500(host: &Host, place: &str) {
    let body = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n";
    let reply = exchange(host.address(), format!("{body}x-panic: {place}\r\n\r\nbody"));
    assert_eq!(reply.status, 500, "{place}: {}", reply.text());
    assert!(!reply.text().contains(place), "{place} is in the answer: {}", reply.text());
    let line = host.wait_for_log(&format!("panicked: in {place}"));
    assert!(line.contains("panics-everywhere"), "the log should name the plugin: {line}");
    assert_unharmed(host);
}

#[test]
fn a_panic_in_a_hook_is_a_500_for_its_request_only() {
    let upstream = Upstream::echo();
    let host = start(&upstream, "");
    for place in ["request", "request-async", "response", "response-async", "each-header"] {
        assert_is_a_500(&host, place);
    }
}

#[test]
fn a_panic_in_a_request_body_is_a_500() {
    let upstream = Upstream::echo();
    let host = start(&upstream, "");
    assert_is_a_500(&host, "request-body-poll");
}

#[test]
fn a_panic_in_a_response_body_cuts_it_off() {
    let upstream = Upstream::echo();
    let host = start(&upstream, "");
    let mut connection = Connection::open(host.address());
    connection.send("GET / HTTP/1.1\r\nHost: x\r\nx-panic: body-poll\r\n\r\n");
    // Whether the head is out when it happens is a matter of buffers.
    let whole = connection.try_read().is_ok_and(|reply| reply.complete);
    assert!(!whole, "the client should see that the body is not whole");
    host.wait_for_log("panicked: in body-poll");
    assert_unharmed(&host);
}

#[test]
fn a_panic_in_a_drop_harms_no_request() {
    let upstream = Upstream::echo();
    let host = start(&upstream, "");
    for place in ["slot-drop", "body-drop"] {
        let reply = get(host.address(), "/", &[("x-panic", place)]);
        assert_eq!((reply.status, reply.complete), (200, true), "{place}");
        host.wait_for_log(&format!("panicked: in {place}"));
        assert_unharmed(&host);
    }
}

#[test]
fn a_panic_in_the_drop_of_a_cancelled_future_harms_nobody() {
    let upstream = Upstream::echo();
    let host = start(&upstream, "");
    let mut connection = Connection::open(host.address());
    connection.send("GET / HTTP/1.1\r\nHost: x\r\nx-panic: future-drop\r\n\r\n");
    host.wait_for_log("waiting for the client to go away");
    drop(connection);
    host.wait_for_log("panicked: in future-drop");
    assert_unharmed(&host);
}

#[test]
fn a_panic_in_an_authenticator_lets_nobody_in() {
    let upstream = Upstream::echo();
    let host = start(&upstream, r#"{"register": "authenticator"}"#);
    for place in ["authenticate", "authenticate-async"] {
        assert_is_a_500(&host, place);
    }
    let reply = get(host.address(), "/", &[("x-panic", "challenge")]);
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("www-authenticate"), None, "there is no challenge to send");
    let reached = upstream.requests();
    assert!(reached.iter().all(|request| request.target == "/next"), "{reached:?}");
}

#[test]
fn a_panic_in_a_task_ends_the_task_only() {
    let upstream = Upstream::echo();
    let host = start(&upstream, r#"{"register": "task"}"#);
    let line = host.wait_for_log("a plugin's task failed");
    assert!(line.contains("in a task") && line.contains("panics-everywhere"), "{line}");
    assert_unharmed(&host);
}

/// A folder with the plugin as the patch of `point`, and the arguments that use it.
fn patched(point: &str, target: &str) -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    fs::copy(library("panics-everywhere"), file(&format!("{point}.so"))).unwrap();
    let config = format!("[patches.{point}]\nconfig = {{ register = \"{point}\" }}\n");
    fs::write(file("host.toml"), config).unwrap();
    let args = ["--target", target, "--patches", &file(""), "--config", &file("host.toml")];
    let args = args.map(str::to_owned).to_vec();
    (folder, args)
}

#[test]
fn a_panic_in_the_reverse_proxy_is_a_500() {
    let upstream = Upstream::echo();
    let (_folder, args) = patched("reverse_proxy", &upstream.url());
    let host = Host::start(&args);
    for place in ["rewrite", "rewrite-async"] {
        assert_is_a_500(&host, place);
    }
}

#[test]
fn a_panic_in_the_error_page_shows_the_built_in_one() {
    let gone = Upstream::echo().url(); // dropped: nothing listens there
    let (_folder, args) = patched("error_page", &gone);
    let host = Host::start(&args);
    for _ in 0..2 {
        let reply = get(host.address(), "/", &[]);
        assert_eq!((reply.status, reply.complete), (502, true));
        assert!(!reply.body.is_empty(), "the built-in page has a text");
    }
    host.wait_for_log("panicked: in render");
}
