//! Sinks as users write them.

use host_delivery::SinkConfig;
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
struct File {
    sink: Vec<SinkConfig>,
}

#[tokio::test]
async fn every_kind_with_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.ndjson");
    let text = format!(
        r#"
[[sink]]
kind = "fluentd"
url = "http://localhost:8888/test.log"
session-url = "http://localhost:8888/session"
batch = 500
window = 1000
window-bytes = 1000000
dedupe = 10000
retry-min = "2s"
retry-max = "1m"

[[sink]]
kind = "stdout"

[[sink]]
kind = "file"
name = "archive"
path = {path:?}
fsync = false
rotate = {{ bytes = 100000000, keep = 10 }}

[[sink]]
kind = "http"
name = "splunk"
url = "http://localhost:8088/services/collector/event"
body = "splunk"
gzip = true
headers.Authorization = {{ env = "TOKEN", prefix = "Splunk " }}
splunk = {{ sourcetype = "teleport", index = "audit" }}

[[sink]]
kind = "syslog"
address = "[::1]:601"
facility = 4
"#
    );
    let File { sink } = toml::from_str(&text).unwrap();
    let outlets: Vec<_> =
        sink.into_iter().map(|it| it.outlet(&|_| Some("t".to_owned())).unwrap()).collect();
    let names: Vec<_> = outlets.iter().map(|outlet| outlet.name.as_str()).collect();
    assert_eq!(names, ["fluentd", "stdout", "archive", "splunk", "syslog"]);
    let first = &outlets[0];
    assert_eq!((first.window.events, first.window.bytes, first.dedupe), (1000, 1_000_000, 10_000));
    assert_eq!(first.retry.most, Duration::from_secs(60));
    assert_eq!(first.sink.limits().events, 500);
    host_delivery::Delivery::start(outlets, Some(folder.path())).unwrap();
}

fn problem(keys: &str) -> String {
    match toml::from_str::<SinkConfig>(keys) {
        Err(error) => error.to_string(),
        Ok(config) => match config.outlet(&|_| None) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("taken: {keys}"),
        },
    }
}

#[test]
fn mistakes_are_said_with_what_to_do() {
    let url = "url = \"http://h/\"";
    let http = format!("kind = \"http\"\n{url}\n");
    for (keys, said) in [
        ("kind = \"kafka\"", "unknown variant `kafka`"),
        ("name = \"x\"", "kind"),
        ("kind = \"fluentd\"", "missing field `url`"),
        ("kind = \"fluentd\"\nurl = \"h\"", "sink \"fluentd\": url: "),
        (&format!("kind = \"fluentd\"\n{url}\nsession-url = \"x\""), "session-url: "),
        (&format!("kind = \"fluentd\"\n{url}\nbatch = 0"), "at least 1"),
        (&format!("{http}window = 0"), "at least 1"),
        (&format!("{http}retry-min = \"20s\""), "retry-max"),
        (&format!("{http}retry-min = \"soon\""), "no time span such as \"10s\""),
        (&format!("{http}color = \"red\""), "unknown field `color`"),
        (&format!("{http}body = \"xml\""), "unknown variant `xml`"),
        (&format!("{http}splunk.index = \"i\""), "`splunk` is for `body = \"splunk\"`"),
        (&format!("{http}headers.A = {{ env = \"NONE\" }}"), "variable NONE is not set"),
        (&format!("{http}headers.A = {{ file = \"/no/f\" }}"), "/no/f cannot be read"),
        (&format!("{http}headers.A = {{ key = \"x\" }}"), "a value is a string, { env"),
        (&format!("{http}headers.A = \"a\\nb\""), "characters that no header can have"),
        (&format!("{http}headers.\"A B\" = \"a\""), "no name of a header"),
        (&format!("{http}method = \"A B\""), "no HTTP method"),
        (&format!("{http}ca = \"x.pem\""), "is without"),
        ("kind = \"syslog\"\naddress = \"host\"", "not HOST:PORT"),
        ("kind = \"syslog\"\naddress = \"h:1\"\nfacility = 24", "0 to 23"),
        ("kind = \"syslog\"\naddress = \"h:1\"\nhostname = \"a b\"", "printable ASCII"),
        ("kind = \"syslog\"\naddress = \"h:1\"\ntls = false\nca = \"x\"", "`tls` is false"),
        ("kind = \"stdout\"\npath = \"x\"", "unknown field `path`"),
    ] {
        let text = problem(keys);
        assert!(text.contains(said), "{keys}\n  {text}\n  lacks {said}");
    }
}

#[test]
fn keys_that_fluentd_does_not_know_are_warned_of() {
    let log = crate::kit::Log::capture();
    let text = "kind = \"fluentd\"\nname = \"f\"\nurl = \"http://h/\"\ncolour = 7\n[shade]\nx = 1";
    toml::from_str::<SinkConfig>(text).unwrap().outlet(&|_| None).unwrap();
    let lines = log.lines("WARN");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("sink \"f\": the key \"colour\" is not known"), "{lines:?}");
}
