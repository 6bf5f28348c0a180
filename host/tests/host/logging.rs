//! The log: what plugins log is in it as if the host had, and its filter can change.

use fixtures::{Host, Upstream, get, library};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn plugin(name: &str) -> String {
    format!("--pre-plugin={}", library(name).display())
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The host's own span: the outermost.
fn assert_under_request(event: &Value) {
    let span = &event["spans"][0];
    let expected = ("request", "GET", "/logged", "127.0.0.1");
    let fields = ["name", "method", "path", "peer"].map(|key| span[key].as_str().unwrap_or("none"));
    assert_eq!(fields, <[&str; 4]>::from(expected), "{event:#}");
}

#[test]
fn json_has_a_plugins_fields_with_their_types_under_the_requests_span() {
    let upstream = Upstream::echo();
    let target = format!("--target={}", upstream.url());
    let host = Host::start(&[&target, &plugin("logs"), "--log-format=json", "--log=debug"]);
    let ask = |what: &str| get(host.address(), "/logged?secret", &[("x-do", what)]);

    ask("fields");
    let event = json(&host.wait_for_log("fields of all types"));
    assert_under_request(&event);
    assert_eq!(event["signed"], -1);
    assert_eq!(event["unsigned"], u64::MAX);
    assert_eq!(event["float"], 0.5);
    assert_eq!(event["boolean"], true);
    assert_eq!(event["text"], "two words");
    assert_eq!((&event["level"], &event["target"]), (&"INFO".into(), &"logs::logging".into()));
    let event = json(&host.wait_for_log("\"hook\":\"response\""));
    assert_eq!(event["status"], 200);

    ask("levels");
    let event = json(&host.wait_for_log("log at warn"));
    assert_under_request(&event);
    assert_eq!((&event["level"], &event["target"]), (&"WARN".into(), &"logs::logging".into()));

    ask("span");
    let event = json(&host.wait_for_log("inside two spans"));
    assert_under_request(&event);
    assert_eq!(event["spans"][1]["name"], "outer", "{event:#}");
    assert_eq!((&event["span"]["name"], &event["span"]["depth"]), (&"inner".into(), &2.into()));

    // Every line is an object of its own, and the query, which may hold secrets, is in none.
    let log = host.log();
    assert!(log.lines().map(json).all(|event| event["level"].is_string()));
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn a_panic_in_a_plugin_is_logged_with_its_place() {
    let upstream = Upstream::echo();
    let target = format!("--target={}", upstream.url());
    let host = Host::start(&[&target, &plugin("panics-everywhere"), "--log-format=json"]);
    assert_eq!(get(host.address(), "/logged", &[("x-panic", "request")]).status, 500);
    let event = json(&host.wait_for_log("\"target\":\"panic\""));
    assert_under_request(&event);
    assert_eq!(event["message"], "panicked: in request", "{event:#}");
    let (file, place) = event["place"].as_str().unwrap().split_once(".rs:").unwrap();
    assert!(file.ends_with("src/lib") && place.contains(':'), "{event:#}");
}

/// Whether the plugin logs at debug for a request of this path, which nobody else asks for.
fn logs_debug(host: &Host, path: &str) -> bool {
    assert_eq!(get(host.address(), path, &[("x-do", "fail")]).status, 500);
    let span = format!("request{{method=\"GET\" path=\"{path}\" peer=127.0.0.1}}");
    // The host's own error comes after what the plugin logs in its hook.
    host.wait_for_log(&format!("{span}: host_proxy::chain::fail: logs failed"));
    host.log().contains(&format!("DEBUG {span}: logs: "))
}

#[test]
fn the_filter_of_the_file_changes_what_plugins_log_while_they_run() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.toml");
    let put = |text: &str| fs::write(&file, text).unwrap();
    put("log = 'info'");
    let config = format!("--config={}", file.display());
    let host = Host::start(&[&format!("--target={}", upstream.url()), &config, &plugin("logs")]);
    let reload = |filter: &str| {
        put(&format!("log = '{filter}'"));
        host.signal(libc::SIGHUP);
        host.wait_for_log(&format!("the log filter was read anew filter=\"{filter}\""));
    };
    assert!(!logs_debug(&host, "/1"));
    reload("debug");
    assert!(logs_debug(&host, "/2"));
    reload("info,host=info");
    assert!(!logs_debug(&host, "/3"));
    reload("info,logs=debug");
    assert!(logs_debug(&host, "/4"), "by the plugin's target");

    for (text, reason) in [("log = 'a=b=c'", "is not a log filter"), ("log =", "host.toml: ")] {
        put(text);
        host.signal(libc::SIGHUP);
        let line = host.wait_for_log(reason);
        assert!(line.contains("reload refused, what is in use stays"), "{line}");
    }
    fs::remove_file(&file).unwrap();
    host.signal(libc::SIGHUP);
    host.wait_for_log("host.toml cannot be read");
    assert!(logs_debug(&host, "/5"), "nothing has changed");
}

#[test]
fn a_filter_of_the_command_line_stays() {
    let (upstream, files) = (Upstream::echo(), fixtures::certificates());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.toml");
    fs::write(&file, "log = 'debug'").unwrap();
    let flag = |name: &str, file: &Path| format!("--{name}={}", file.display());
    let host = Host::start(&[
        format!("--target={}", upstream.url()),
        flag("config", &file),
        flag("tls-cert", &files.server_certificate),
        flag("tls-key", &files.server_key),
        "--log=info".to_owned(),
    ]);
    host.signal(libc::SIGHUP);
    host.wait_for_log("the certificate was read anew");
    let mut connection = fixtures::Connection::tls(host.address(), files.client(false));
    connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(connection.read().status, 200);
    assert!(!host.log().contains("DEBUG"), "{}", host.log());
    assert!(!host.log().contains("read anew filter"), "{}", host.log());
}
