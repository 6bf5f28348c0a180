//! `host status`: the running host in a terminal.

use crate::{assert_ends, folder_of};
use fixtures::{Host, Launch, Upstream, get, library};
use host_events::store::{DEFAULT_LIMIT, DiskStore};
use serde_json::Value;
use tempfile::TempDir;

fn status(state: &TempDir, args: &[&str]) -> fixtures::Output {
    Host::run(&[&["status", "--state", state.path().to_str().unwrap()], args].concat())
}

#[test]
fn it_shows_the_host_that_runs_with_the_state_folder() {
    let state = tempfile::tempdir().unwrap();
    drop(DiskStore::open(state.path(), DEFAULT_LIMIT).unwrap());
    let upstream = Upstream::echo();
    let patches = folder_of(&[("reverse_proxy.so", &library("reverse-proxy-patch"))]);
    let host = Host::start(&[
        &format!("--target={}", upstream.url()),
        &format!("--state={}", state.path().display()),
        &format!("--pre-plugin={}", library("pre-plugin").display()),
        &format!("--patches={}", patches.path().display()),
    ]);
    assert_eq!(get(host.address(), "/", &[]).status, 200);

    let text = status(&state, &[]);
    assert_eq!((text.code, &*text.stderr), (Some(0), ""));
    let lines: Vec<_> = text.stdout.lines().collect();
    assert!(lines[0].starts_with("host 0."), "{text:?}");
    assert!(lines[0].contains(&format!("(process {})", host.pid())), "{text:?}");
    assert!(lines[1].contains(&host.url("/")) && lines[1].contains(&upstream.url()), "{text:?}");
    for part in
        ["pre             pre-plugin 0.1.0 ", "reverse_proxy* ", "1 requests, 0 failed", "store: "]
    {
        assert!(text.stdout.contains(part), "{part:?} is not in\n{}", text.stdout);
    }

    let json = status(&state, &["--json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["pid"], host.pid());
    assert_eq!(json["plugins"][0]["name"], "pre-plugin");
    assert_eq!(json["plugins"][1]["replaces"], "reverse_proxy");
    assert_eq!(json["store"]["limit"], DEFAULT_LIMIT);

    // Again and again, until the host is gone.
    let watch =
        Launch::new(&["status", "--watch", "--json", "--state", state.path().to_str().unwrap()]);
    let watch = watch.begin();
    let line = watch.wait_for_stdout(&format!("\"pid\":{}", host.pid()));
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["phase"], "serving");
    host.stop();
    assert_eq!(watch.wait().code(), Some(1));
}

#[test]
fn without_a_host_it_says_so() {
    let state = tempfile::tempdir().unwrap();
    for args in [&[][..], &["--json"], &["--watch"]] {
        let output = status(&state, args);
        assert_ends(&output, 1, &["no host runs with the state folder", "--state"]);
        assert_eq!(output.stdout, "");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    }
}
