//! What plugins ask of the host really happens: in its log, its store, its metrics, on its timer.

use crate::with_plugins;
use fixtures::{Host, Launch, Reply, Upstream, get, library};
use std::fs;

fn start(upstream: &Upstream, further: &[&str]) -> Host {
    let mut args = with_plugins(upstream, &[&library("logs")]);
    args.extend(further.iter().map(ToString::to_string));
    Launch::new(&args).env("RUST_LOG", "trace,hyper=info").start()
}

fn ask(host: &Host, what: &str) -> Reply {
    get(host.address(), "/asked", &[("x-do", what)])
}

#[test]
fn the_store_keeps_values_and_counts_tokens_between_requests() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &[]);
    let answers = |what| [0; 4].map(|_| ask(&host, what).text().to_owned());
    assert_eq!(answers("store"), ["1", "2", "3", "1"]);
    assert_eq!(answers("tokens"), ["1 alive", "2 alive", "3 released", "1 alive"]);
}

#[test]
fn a_deferred_hook_sleeps_on_the_hosts_timer() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &[]);
    assert_eq!(ask(&host, "sleep").text(), "slept");
}

#[test]
fn the_hosts_client_fetches_for_a_plugin() {
    let (upstream, other) = (Upstream::echo(), Upstream::echo());
    let host = start(&upstream, &[]);
    let url = format!("{}/fetched", other.url());
    let reply = get(host.address(), "/", &[("x-do", "http"), ("x-url", &url)]);
    assert!(reply.text().starts_with("200 GET /fetched HTTP/1.1\r\n"), "{}", reply.text());
    assert_eq!(other.last().header("x-from"), Some("the plugin"));
    assert!(upstream.requests().is_empty(), "the plugin has answered itself");

    let closed = Upstream::echo().url(); // dropped: nothing listens there
    let reply = get(host.address(), "/", &[("x-do", "http"), ("x-url", &closed)]);
    assert_eq!(reply.status, 500);
    host.wait_for_log("fetching: ");
}

#[test]
fn tasks_run_on_and_their_errors_are_logged_under_the_plugins_name() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &[]);
    ask(&host, "spawn");
    host.wait_for_log("the task is done");
    ask(&host, "spawn-fails");
    let line = host.wait_for_log("the task has failed");
    assert!(line.contains("logs"), "the log should name the plugin: {line}");
}

#[test]
fn metrics_are_served_with_the_plugins_name() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &["--admin", "127.0.0.1:0"]);
    ask(&host, "metrics");
    ask(&host, "metrics");
    let line = host.wait_for_log("metrics are at http://");
    let (_, url) = line.split_once("http://").unwrap();
    let address = url.trim_end_matches("/metrics").parse().unwrap();
    let metrics = get(address, "/metrics", &[]);
    for sample in [
        "logs_asked_total{plugin=\"logs\"} 4.0",
        "logs_level{plugin=\"logs\",unit=\"none\"} 1.5",
        "logs_seconds_sum{plugin=\"logs\"} 0.5",
        "logs_seconds_count{plugin=\"logs\"} 2",
    ] {
        let there = metrics.text().lines().any(|line| line == sample);
        assert!(there, "{sample} should be in\n{}", metrics.text());
    }
}

#[test]
fn audit_events_arrive_under_the_plugins_name() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &["--log-format", "json"]);
    ask(&host, "emit");
    let line = host.wait_for_log("logs.emitted");
    assert!(line.contains(r#""target":"audit""#), "{line}");
    assert!(line.contains(r#""plugin":"logs""#), "{line}");
}

#[test]
fn an_error_is_a_500_with_the_reason_in_the_log_only() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &[]);
    let reply = ask(&host, "fail");
    assert_eq!(reply.status, 500);
    assert!(!reply.text().contains("as the request asked"), "{}", reply.text());
    host.wait_for_log("as the request asked");
}

#[test]
fn events_reach_the_hosts_log_at_all_levels_from_both_facades() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &[]);
    ask(&host, "levels");
    for level in ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"] {
        for facade in ["tracing", "log"] {
            let line = host.wait_for_log(&format!("{facade} at {}", level.to_lowercase()));
            assert!(line.contains(level), "{line}");
        }
    }
    for facade in ["tracing", "log"] {
        let line = host.wait_for_log(&format!("{facade} with a target"));
        assert!(line.contains("logs::elsewhere"), "{line}");
    }
}

#[test]
fn typed_fields_stay_typed() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &["--log-format", "json"]);
    ask(&host, "fields");
    let line = host.wait_for_log("fields of all types");
    for field in [
        r#""signed":-1"#,
        r#""unsigned":18446744073709551615"#,
        r#""float":0.5"#,
        r#""boolean":true"#,
        r#""text":"two words""#,
        r#""display":"5""#,
        r#""debug":"Some(\"debug\")""#,
        r#""error":"an error""#,
        r#""forged":"line\nINFO forged "#,
    ] {
        assert!(line.contains(field), "{field} should be in {line}");
    }
    assert!(!line.contains("\"empty\""), "a field without a value: {line}");
}

#[test]
fn text_fields_of_a_plugin_cannot_forge_lines_of_the_log() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &[]);
    ask(&host, "fields");
    host.wait_for_log("fields of all types");
    let log = host.log();
    assert!(!log.lines().any(|line| line.starts_with("INFO forged")), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[test]
fn events_are_in_the_plugins_spans_and_those_in_the_requests() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &[]);
    ask(&host, "span");
    let line = host.wait_for_log("inside two spans");
    let at = |text: &str| line.find(text).unwrap_or_else(|| panic!("{text} is not in {line}"));
    assert!(at("outer{") < at("inner{"), "{line}");
    for field in ["early=1", "late=\"recorded\"", "depth=2", "/asked"] {
        assert!(line.contains(field), "{field} should be in {line}");
    }
    ask(&host, "async");
    for event in ["before the wait", "after the wait"] {
        let line = host.wait_for_log(event);
        assert!(line.contains("awaiting") && line.contains("/asked"), "{line}");
    }
}

#[test]
fn a_parent_that_an_event_names_is_its_parent() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &[]);
    ask(&host, "parents");
    let line = host.wait_for_log("with a parent of its own");
    assert!(line.contains("explicit: ") && !line.contains("current"), "{line}");
    let line = host.wait_for_log("without a parent");
    assert!(!line.contains("request{"), "{line}");
    let line = host.wait_for_log("in a clone of a span");
    assert!(line.contains("explicit: "), "{line}");
}

#[test]
fn every_hook_logs_and_threads_do_too() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &[]);
    ask(&host, "async");
    for hook in ["request", "request-async", "response", "response-async"] {
        host.wait_for_log(&format!("hook=\"{hook}\""));
    }
    host.wait_for_log("registering");
    ask(&host, "thread");
    host.wait_for_log("from the plugin's own thread");
}

#[test]
fn the_hosts_filter_decides_what_a_plugin_logs() {
    let upstream = Upstream::echo();
    let args = with_plugins(&upstream, &[&library("logs")]);
    let host = Launch::new(&args).env("RUST_LOG", "warn,host=info").start();
    ask(&host, "levels");
    host.wait_for_log("log at warn");
    assert!(host.stop().success());
    let log = host.log();
    for quiet in ["at info", "at debug", "at trace", "registering"] {
        assert!(!log.contains(quiet), "{quiet:?} should not be in\n{log}");
    }
}

#[test]
fn a_filter_that_is_read_anew_holds_for_plugins_too() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("host.toml");
    fs::write(&config, "log = 'warn,host=info'\n").unwrap();
    let mut args = with_plugins(&upstream, &[&library("logs")]);
    args.extend(["--config".to_owned(), config.display().to_string()]);
    let host = Host::start(&args);
    ask(&host, "levels");
    host.wait_for_log("log at warn");
    assert!(!host.log().contains("at debug"), "{}", host.log());

    fs::write(&config, "log = 'debug'\n").unwrap();
    host.signal(libc::SIGHUP);
    host.wait_for_log("the log filter was read anew");
    ask(&host, "levels");
    host.wait_for_log("tracing at debug");
    host.wait_for_log("log at debug");
}
