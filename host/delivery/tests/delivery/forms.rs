//! What other servers get, byte for byte.

use crate::kit::{
    Reply, Request, Server, Tracker, finish, json, metric, numbers, outlet, start, start_in,
};
use host_delivery::{DEAD_LETTERS, Outlet, SinkConfig};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// An `http` sink with further keys.
fn http(server: &Server, keys: &str) -> Outlet {
    let text = format!("kind = \"http\"\nurl = \"{}\"\n{keys}", server.url("/in?x=y"));
    outlet(toml::from_str::<SinkConfig>(&text).unwrap().kind)
}

const A: &str = r#"{"event":"user.login","uid":"1","text":"a \"b\" \\ \n ä"}"#;
const B: &str = r#"{"event":"session.start","uid":"2"}"#;

/// Three events: two types, one without a time, one of a recording.
async fn three(keys: &str) -> Request {
    let mut server = Server::start(|_| reply(200, r#"{"errors":false,"items":[]}"#)).await;
    let delivery = start(vec![http(&server, keys)]);
    let events = Tracker::new();
    delivery.send(events.item_of("1", A)).await;
    let mut item = events.item_of("2", B);
    item.kind = "session.start".into();
    item.time = Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(1_000_000_000_000_000_007));
    item.session = Some("s".into());
    delivery.send(item).await;
    let mut item = events.item(3);
    item.time = None;
    delivery.send(item).await;
    let request = server.next().await;
    events.wait(3).await;
    finish(delivery).await;
    assert!(server.so_far().is_empty(), "more than one request");
    request
}

fn text(request: &Request) -> &str {
    std::str::from_utf8(&request.body).unwrap()
}

#[tokio::test]
async fn json_lines() {
    let request = three("").await;
    assert_eq!(text(&request), format!("{A}\n{B}\n{}\n", json(3)));
    assert_eq!(request.headers["content-type"], "application/x-ndjson");
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/in?x=y"));
}

#[tokio::test]
async fn json_array() {
    let request = three("body = \"json-array\"\nmethod = \"PUT\"").await;
    assert_eq!(text(&request), format!("[{A},{B},{}]", json(3)));
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.method, "PUT");
}

#[tokio::test]
async fn splunk() {
    let request = three("body = \"splunk\"\nsplunk.sourcetype = \"tele\\\"port\"").await;
    let third = json(3);
    let expected = format!(
        "{{\"time\":1708714822.473,\"event\":{A},\"sourcetype\":\"tele\\\"port\"}}\
         {{\"time\":1000000000.000,\"event\":{B},\"sourcetype\":\"tele\\\"port\"}}\
         {{\"event\":{third},\"sourcetype\":\"tele\\\"port\"}}"
    );
    assert_eq!(text(&request), expected);
    let request = three("body = \"splunk\"").await;
    assert!(text(&request).ends_with(&format!("{{\"event\":{third}}}")), "{}", text(&request));
}

#[tokio::test]
async fn loki() {
    let request = three("body = \"loki\"\nloki.labels = { job = \"x\", env = \"y\" }").await;
    let body = text(&request);
    let string = |json: &str| serde_json::to_string(json).unwrap();
    let (head, rest) = body.split_once(&string(A)).unwrap();
    let expected = format!(
        "{{\"streams\":[{{\"stream\":{{\"env\":\"y\",\"event_type\":\"session.start\",\"job\":\"x\"}},\
         \"values\":[[\"1000000000000000007\",{}]]}},\
         {{\"stream\":{{\"env\":\"y\",\"event_type\":\"user.login\",\"job\":\"x\"}},\
         \"values\":[[\"1708714822473000000\",",
        string(B)
    );
    assert_eq!(head, expected);
    // The third has no time of its own: that of its sending.
    let (before, after) = rest.split_once(&format!(",{}", string(&json(3)))).unwrap();
    let now = before.strip_prefix("],[\"").and_then(|it| it.strip_suffix('"')).unwrap();
    assert_eq!(now.len(), 19, "{now}");
    assert_eq!(after, "]]}]}");
    assert_eq!(request.headers["content-type"], "application/json");

    let request = three("body = \"loki\"\nloki.type-label = \"\"").await;
    let head =
        "{\"streams\":[{\"stream\":{\"job\":\"teleport\"},\"values\":[[\"1708714822473000000\",";
    assert!(text(&request).starts_with(head), "{}", text(&request));
}

#[tokio::test]
async fn elastic() {
    let request = three("body = \"elastic\"\nelastic.index = \"audit\"").await;
    let expected = format!(
        "{{\"create\":{{\"_index\":\"audit\",\"_id\":\"1\"}}}}\n{A}\n\
         {{\"create\":{{\"_index\":\"audit\",\"_id\":\"s.2\"}}}}\n{B}\n\
         {{\"create\":{{\"_index\":\"audit\",\"_id\":\"3\"}}}}\n{}\n",
        json(3)
    );
    assert_eq!(text(&request), expected);
    assert_eq!(request.headers["content-type"], "application/x-ndjson");

    let request = three("body = \"elastic\"\nelastic.timestamp = true").await;
    let first = format!(
        "{{\"create\":{{\"_id\":\"1\"}}}}\n{{\"@timestamp\":\"2024-02-23T19:00:22.473Z\",{}\n",
        &A[1..]
    );
    assert!(text(&request).starts_with(&first), "{}", text(&request));
    assert!(text(&request).ends_with(&format!("\n{}\n", json(3))), "{}", text(&request));
}

#[tokio::test]
async fn gzip() {
    let request = three("gzip = true").await;
    assert_eq!(request.headers["content-encoding"], "gzip");
    let mut body = String::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_string(&mut body).unwrap();
    assert_eq!(body, format!("{A}\n{B}\n{}\n", json(3)));
}

#[tokio::test]
async fn headers_of_the_configuration_of_files_and_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "of the file\nmore\n").unwrap();
    let mut server = Server::start(|_| Reply::Status(200)).await;
    let config = format!(
        "kind = \"http\"\nurl = \"{}\"\n[headers]\nX-Scope-OrgID = \"audit\"\n\
         Authorization = {{ env = \"TOKEN\", prefix = \"Splunk \" }}\nX-File = {{ file = {file:?} }}",
        server.url("/")
    );
    let config: SinkConfig = toml::from_str(&config).unwrap();
    assert!(!format!("{config:?}").contains("audit"), "a value is shown: {config:?}");
    let env = |name: &str| (name == "TOKEN").then(|| "of the environment".to_owned());
    let delivery = start(vec![config.outlet(&env).unwrap()]);
    let events = Tracker::new();
    delivery.send(events.item(1)).await;
    let headers = server.next().await.headers;
    assert_eq!(headers["x-scope-orgid"], "audit");
    assert_eq!(headers["authorization"], "Splunk of the environment");
    assert_eq!(headers["x-file"], "of the file");
    finish(delivery).await;
}

fn reply(status: u16, body: &str) -> Reply {
    Reply::Full(status, Vec::new(), body.to_owned())
}

#[tokio::test]
async fn elastic_says_what_became_of_each_event() {
    let seen = AtomicUsize::new(0);
    let mut server = Server::start(move |_| {
        let item = |status: u16, error: &str| {
            format!(r#"{{"create":{{"_id":"x","status":{status}{error}}}}}"#)
        };
        let bad = r#","error":{"type":"mapper_parsing_exception","reason":"no"}"#;
        let busy = r#","error":{"type":"es_rejected_execution_exception"}"#;
        let items = match seen.fetch_add(1, Ordering::SeqCst) {
            0 => vec![item(201, ""), item(429, busy), item(400, bad), item(409, ""), item(503, "")],
            1 => vec![item(429, busy), item(201, "")],
            _ => return reply(200, r#"{"took":1,"errors":false,"items":[]}"#),
        };
        reply(200, &format!(r#"{{"took":1,"errors":true,"items":[{}]}}"#, items.join(",")))
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let delivery = start_in(state.path(), vec![http(&server, "body = \"elastic\"")]);
    let events = Tracker::new();
    for number in 0..5 {
        delivery.send(events.item(number)).await;
    }
    events.wait(5).await;
    assert_eq!(metric(&delivery, "tenon_sink_delivered_total", "http"), 4);
    assert_eq!(metric(&delivery, "tenon_sink_dead_letters_total", "http"), 1);
    finish(delivery).await;
    let batches: Vec<_> = server.so_far().iter().map(|it| numbers(&it.body)).collect();
    assert_eq!(batches, [vec![0, 1, 2, 3, 4], vec![1, 4], vec![1]]);
    let letter = std::fs::read_to_string(state.path().join(DEAD_LETTERS)).unwrap();
    assert!(letter.contains("mapper_parsing_exception") && letter.contains(&json(2)), "{letter}");
}

#[tokio::test]
async fn an_answer_of_elastic_that_makes_no_sense_is_no_success() {
    let seen = AtomicUsize::new(0);
    let mut server = Server::start(move |_| match seen.fetch_add(1, Ordering::SeqCst) {
        0 => reply(200, "<html>a login page</html>"),
        1 => reply(200, r#"{"errors":true,"items":[]}"#),
        2 => reply(200, ""),
        _ => reply(200, r#"{"errors":false,"items":[]}"#),
    })
    .await;
    let delivery = start(vec![http(&server, "body = \"elastic\"")]);
    let events = Tracker::new();
    delivery.send(events.item(1)).await;
    events.wait(1).await;
    finish(delivery).await;
    assert_eq!(server.so_far().len(), 4);
}

#[tokio::test]
async fn splunk_says_whether_the_event_or_the_configuration_is_wrong() {
    let seen = AtomicUsize::new(0);
    let server = Server::start(move |_| match seen.fetch_add(1, Ordering::SeqCst) {
        0 => reply(400, r#"{"text":"Incorrect index","code":7}"#),
        1 => reply(503, r#"{"text":"Server is busy","code":9}"#),
        2 => reply(400, r#"{"text":"Invalid data format","code":6}"#),
        _ => reply(200, r#"{"text":"Success","code":0}"#),
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let delivery = start_in(state.path(), vec![http(&server, "body = \"splunk\"\nbatch = 1")]);
    let events = Tracker::new();
    delivery.send(events.item(1)).await;
    delivery.send(events.item(2)).await;
    events.wait(2).await;
    assert_eq!(metric(&delivery, "tenon_sink_retries_total", "http"), 2);
    assert_eq!(metric(&delivery, "tenon_sink_dead_letters_total", "http"), 1);
    finish(delivery).await;
}

#[tokio::test]
async fn any_2xx_is_a_success_elsewhere() {
    let mut server = Server::start(|_| Reply::Status(202)).await;
    let delivery = start(vec![http(&server, "")]);
    let events = Tracker::new();
    delivery.send(events.item(1)).await;
    events.wait(1).await;
    finish(delivery).await;
    assert_eq!(server.so_far().len(), 1);
}
