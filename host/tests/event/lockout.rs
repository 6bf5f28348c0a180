//! The proxy and the event plugins together: failed logins are counted, and whoever fails too often
//! is locked out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fixtures::{Host, Launch, Reply, Upstream, get, guest};
use serde_json::Value;
use std::fs;
use std::path::Path;

const MESSAGE: &str = "Suspicious login activity";
/// What the log says when a lock has been made.
const LOCKED: &str = "has locked";

fn start(upstream: &Upstream, state: &Path, args: &[&str]) -> Host {
    let state = state.to_str().unwrap();
    let target = upstream.url();
    let common = ["--target", &target, "--state", state, "--basic-user", "test"];
    Launch::new(&[&common[..], args].concat()).env("TENON_BASIC_PASSWORD", "right").start()
}

fn login(host: &Host, user: &str, password: &str) -> Reply {
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    get(host.address(), "/get?a=b", &[("Authorization", &format!("Basic {credentials}"))])
}

fn locks(state: &Path, args: &[&str]) -> fixtures::Output {
    Launch::new(&[&["locks", "--state", state.to_str().unwrap()], args].concat()).run()
}

#[test]
fn the_fourth_failed_login_locks_out_after_a_restart_too_until_the_lock_is_removed() {
    for language in ["rust", "assemblyscript"] {
        let (upstream, folder) = (Upstream::echo(), tempfile::tempdir().unwrap());
        let state = folder.path();
        let plugin = guest(language, "count");
        let args = ["--event-plugin", plugin.to_str().unwrap()];
        let host = start(&upstream, state, &args);
        for _ in 0..3 {
            assert_eq!(login(&host, "test", "wrong").status, 401);
        }
        assert_eq!(login(&host, "test", "right").status, 200);
        // The counts outlive the process as well.
        assert_eq!(host.stop().code(), Some(0), "{}", host.log());
        let host = start(&upstream, state, &args);
        assert_eq!(login(&host, "test", "wrong").status, 401);
        host.wait_for_log(LOCKED);
        for password in ["right", "wrong"] {
            let locked = login(&host, "test", password);
            assert_eq!((locked.status, locked.header("www-authenticate")), (403, None));
            assert!(locked.text().contains(MESSAGE), "{language}: {}", locked.text());
        }
        assert_eq!(login(&host, "somebody-else", "wrong").status, 401);
        host.stop();
        // What was rejected since is no failed login: it neither renews the lock nor brings it back.
        assert_eq!(host.log().matches(LOCKED).count(), 1, "{language}: {}", host.log());

        let host = start(&upstream, state, &[]); // without the plugin: a lock is a lock
        assert_eq!(login(&host, "test", "right").status, 403);
        let listed = locks(state, &["list"]);
        assert!(listed.stdout.contains(MESSAGE), "{language}: {listed:?}");
        let listed: Value =
            serde_json::from_str(&locks(state, &["list", "--json"]).stdout).unwrap();
        let name = listed[0]["name"].as_str().unwrap();
        assert_eq!(locks(state, &["remove", name]).code, Some(0));
        assert_eq!(login(&host, "test", "right").status, 200);
    }
}

#[test]
fn logins_and_requests_are_written_as_events() {
    let (upstream, folder) = (Upstream::echo(), tempfile::tempdir().unwrap());
    let path = folder.path().join("audit.ndjson");
    let args = ["--events", path.to_str().unwrap(), "--cluster-name", "here"];
    let host = start(&upstream, folder.path(), &args);
    assert_eq!(login(&host, "test", "wrong").status, 401);
    assert_eq!(login(&host, "test", "right").status, 200);
    host.stop();
    let events = fs::read_to_string(&path).unwrap();
    let events: Vec<Value> = events.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let of =
        |code: &str| -> Vec<&Value> { events.iter().filter(|it| it["code"] == code).collect() };
    let (failed, succeeded, requests) = (of("T1000W"), of("T1000I"), of("T2009I"));
    assert_eq!((failed.len(), succeeded.len(), requests.len()), (1, 1, 2), "{events:?}");
    assert_eq!((&failed[0]["user"], &failed[0]["success"]), (&"test".into(), &false.into()));
    assert_eq!(
        (&succeeded[0]["method"], &succeeded[0]["cluster_name"]),
        (&"basic".into(), &"here".into())
    );
    assert_eq!((&requests[1]["path"], &requests[1]["raw_query"]), (&"/get".into(), &"a=b".into()));
    assert_eq!((&requests[1]["status_code"], &requests[1]["user"]), (&200.into(), &"test".into()));
}

#[test]
fn a_plugin_changes_what_is_written_and_the_rest_stays() {
    let (upstream, folder) = (Upstream::echo(), tempfile::tempdir().unwrap());
    let path = folder.path().join("audit.ndjson");
    let plugin = guest("rust", "touch");
    let events = ["--events", path.to_str().unwrap(), "--event-plugin", plugin.to_str().unwrap()];
    let host = start(&upstream, folder.path(), &events);
    assert_eq!(login(&host, "test", "right").status, 200);
    host.stop();
    let events = fs::read_to_string(&path).unwrap();
    let login = events.lines().find(|line| line.contains("user.login")).unwrap();
    let login: Value = serde_json::from_str(login).unwrap();
    assert_eq!(login["method"], "basicx");
    assert!(events.contains("\"duration_ms\""), "{events}");
}

#[test]
fn what_cannot_be_a_plugin_stops_the_start_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let common = ["--target", "http://127.0.0.1:1", "--port", "127.0.0.1:0", "--state", state];
    let fails = |args: &[&str]| Launch::new(&[&common[..], args].concat()).fails();
    let bad = fixtures::wat("unknown_import");
    let output = fails(&["--event-plugin", bad.to_str().unwrap()]);
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("which this host does not lend to it"), "{}", output.stderr);
    let output = fails(&["--event-plugin", "absent.wasm"]);
    assert!(output.stderr.contains("absent.wasm cannot be read"), "{}", output.stderr);
    let echo = fixtures::wat("echo");
    let echo = echo.to_str().unwrap();
    let output = fails(&["--event-plugin", echo, "--event-plugin", echo]);
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("two event plugins are called echo"), "{}", output.stderr);
}

#[test]
fn a_plugin_that_must_not_fail_ends_the_host_and_one_that_may_does_not() {
    for (policy, ends) in [("stop", true), ("pass", false)] {
        let (upstream, folder) = (Upstream::echo(), tempfile::tempdir().unwrap());
        let plugin = fixtures::wat("trap");
        let config = folder.path().join("host.toml");
        let text = format!("[[event-plugin]]\npath = {plugin:?}\non-error = {policy:?}\n");
        fs::write(&config, text).unwrap();
        let host = start(&upstream, folder.path(), &["--config", config.to_str().unwrap()]);
        assert_eq!(login(&host, "test", "right").status, 200);
        host.wait_for_log("trapped");
        if ends {
            assert_eq!(host.wait().code(), Some(1), "{}", host.log());
        } else {
            assert_eq!(login(&host, "test", "right").status, 200);
            assert_eq!(host.stop().code(), Some(0), "{}", host.log());
        }
    }
}
