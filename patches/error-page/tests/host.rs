//! The patch in the real host.

use fixtures::{Host, Upstream, get, library};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_failure_is_shown_in_the_form_that_the_client_asks_for() {
    let patches = tempfile::tempdir().unwrap();
    fs::copy(library("error-page-patch"), patches.path().join("error_page.so")).unwrap();
    let upstream = Upstream::respond(|_| b"this is not HTTP\r\n\r\n".to_vec());
    let patches = patches.path().to_str().unwrap();
    let host = Host::start(&["--target", &upstream.url(), "--patches", patches]);

    let reply = get(host.address(), "/", &[("Accept", "application/json")]);
    assert_eq!((reply.status, reply.header("vary")), (502, Some("accept")));
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem: Value = serde_json::from_str(reply.text()).unwrap();
    assert_eq!(problem, json!({ "title": "Bad Gateway", "status": 502 }));

    let reply = get(host.address(), "/", &[("Accept", "text/html,*/*;q=0.8")]);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(reply.text().contains("<h1>502 Bad Gateway</h1>"), "{}", reply.text());

    let reply = get(host.address(), "/", &[]);
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.text(), "502 Bad Gateway\n");
    host.wait_for_log("Loading patched error_page module");
}
