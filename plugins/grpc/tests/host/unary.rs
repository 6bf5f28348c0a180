//! Calls with one answer.

use crate::shop::Shop;
use crate::{body, error, head, start, start_with};
use fixtures::{Connection, certificates, get};
use http::HeaderMap;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn json_becomes_a_call_and_its_answer_json() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({}));
    let reply = proxy.post("/shop.Orders/Get", r#"{"id": "7", "view": "FULL"}"#);
    let expected = json!({
        "id": "7", "total": "9007199254740992", "view": "FULL", "counts": {"a": 1}, "raw": "+/8=",
        "at": "1970-01-01T00:00:01.500Z",
        "extra": {"@type": "type.googleapis.com/shop.Page", "pageSize": 3},
    });
    assert_eq!(body(&reply, 200), expected);
    let (path, headers) = &server.seen()[0];
    assert_eq!(path, "/shop.Orders/Get");
    for (name, value) in [
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-accept-encoding", "identity"),
        ("grpc-timeout", "30000000u"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert!(proxy.upstream.requests().is_empty());
}

#[test]
fn the_mapping_of_answers_can_be_chosen() {
    let server = Shop::default().server();
    let more = json!({"emit_defaults": true, "proto_names": true, "enum_numbers": true});
    let proxy = start(&server, more);
    let answer = body(&proxy.post("/shop.Orders/Get", r#"{"id": "7"}"#), 200);
    assert_eq!(answer["view"], 0);
    assert_eq!(answer["tags"], json!([]));
    assert_eq!(answer["extra"]["page_size"], 3);
}

#[test]
fn what_is_not_for_the_service_passes_on() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({"services": ["shop.Orders"]}));
    for path in ["/", "/shop.Orders", "/shop.Orders/Other", "/shop.Hidden/Get", "/v1/other"] {
        assert_eq!(proxy.post(path, "{}").status, 200, "{path}");
        assert_eq!(proxy.upstream.last().target, path);
    }
    // Whoever speaks gRPC is passed on too.
    let headers = [("Content-Type", "application/grpc-web+proto")];
    assert_eq!(proxy.send("POST", "/shop.Orders/Get", &headers, "").status, 200);
    assert_eq!(proxy.upstream.requests().len(), 6);
    assert!(server.seen().is_empty());
}

#[test]
fn metadata_is_what_the_configuration_lists() {
    let server = Shop::default().server();
    let more = json!({"metadata": ["X-Request-Id"], "identity_metadata": "x-user"});
    let flags = ["--basic-user=jo", "--basic-password=secret"];
    let proxy = start_with(&server.origin("http"), more, &flags);
    let headers = [
        ("Authorization", "Basic am86c2VjcmV0"),
        ("Content-Type", "application/json"),
        ("X-Request-ID", "1"),
        ("X-Request-ID", "2"),
        ("X-User", "root"),
        ("X-User-Bin", "cm9vdA"),
    ];
    let answer = body(&proxy.send("POST", "/shop.Orders/Get", &headers, "{}"), 200);
    assert_eq!(answer["tags"], json!(["x-request-id=1", "x-user=jo"]));
    let headers = &server.seen()[0].1;
    let all = |name: &str| {
        let values = headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (all("x-request-id").join(" "), all("x-user").join(" ")),
        ("1 2".into(), "jo".into())
    );
    assert!(!headers.contains_key("authorization") && !headers.contains_key("x-user-bin"));
}

#[test]
fn a_name_that_is_not_ascii_needs_binary_metadata() {
    let server = Shop::default().server();
    let ask = |key: &str| {
        let flags = ["--basic-user=jürgen", "--basic-password=secret"];
        let more = json!({"identity_metadata": key});
        let proxy = start_with(&server.origin("http"), more, &flags);
        let authorization = ("Authorization", "Basic asO8cmdlbjpzZWNyZXQ=");
        let headers = [authorization, ("Content-Type", "application/json")];
        proxy.send("POST", "/shop.Orders/Get", &headers, "{}")
    };
    assert_eq!(body(&ask("x-user-bin"), 200)["tags"], json!(["x-user-bin=asO8cmdlbg"]));
    let message = "x-user: gRPC's metadata is printable ASCII";
    assert_eq!(body(&ask("x-user"), 400), error(3, message));
}

#[test]
fn a_status_is_an_http_status_with_its_details() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({}));
    let answer = body(&proxy.post("/shop.Orders/Get", r#"{"id": "missing"}"#), 404);
    let expected = json!({"code": 5, "message": "no order \"missing\" in Köln", "details": [
        {"@type": "type.googleapis.com/shop.Order", "total": "7"},
        {"@type": "type.googleapis.com/not.Known", "value": "AQI="},
    ]});
    assert_eq!(answer, expected);
}

#[test]
fn a_call_that_takes_too_long_is_ended_and_the_service_told() {
    let (shop, dropped) = Shop::watched();
    let server = shop.server();
    let proxy = start(&server, json!({"timeout": "100ms"}));
    let reply = proxy.post("/shop.Orders/Get", r#"{"id": "never"}"#);
    assert_eq!(body(&reply, 504), error(4, "the service took too long"));
    assert_eq!(dropped.next(), "get");
    assert_eq!(server.seen()[0].1["grpc-timeout"], "100000u");
}

#[test]
fn a_client_may_shorten_the_time_and_not_lengthen_it() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({"timeout": "10s"}));
    let ask = |timeout: &str, id: &str| {
        let headers = [("Content-Type", "application/json"), ("Grpc-Timeout", timeout)];
        proxy.send("POST", "/shop.Orders/Get", &headers, &format!(r#"{{"id": "{id}"}}"#))
    };
    assert_eq!(ask("50m", "never").status, 504);
    assert_eq!(ask("1H", "7").status, 200);
    let timeouts: Vec<_> = server.seen().iter().map(timeout).collect();
    assert_eq!(timeouts, ["50000u", "10000000u"]);
    let message = "Grpc-Timeout is not like 500m, 10S or 1M";
    assert_eq!(body(&ask("soon", "7"), 400), error(3, message));
}

fn timeout((_, headers): &(String, HeaderMap)) -> String {
    headers["grpc-timeout"].to_str().unwrap().to_owned()
}

/// The limit of the host's own upstream is not the plugin's.
#[test]
fn a_call_may_take_longer_than_the_hosts_upstream() {
    let (shop, _dropped) = Shop::watched();
    let server = shop.server();
    let flags = ["--idle-timeout=100ms"];
    let proxy = start_with(&server.origin("http"), json!({"timeout": "400ms"}), &flags);
    let before = std::time::Instant::now();
    let reply = proxy.post("/shop.Orders/Get", r#"{"id": "never"}"#);
    assert_eq!(body(&reply, 504), error(4, "the service took too long"));
    assert!(before.elapsed() >= Duration::from_millis(400));
}

#[test]
fn the_service_hears_of_a_client_that_has_gone() {
    let (shop, dropped) = Shop::watched();
    let server = shop.server();
    let proxy = start(&server, json!({"timeout": "1h"}));
    let mut connection = Connection::open(proxy.address());
    let json = r#"{"id": "never"}"#;
    let headers = [("Content-Type", "application/json")];
    connection.send(head("POST", "/shop.Orders/Get", &headers, json.len()) + json);
    // A call that is ended before it has come to the service is none that could be dropped.
    let latest = Instant::now() + Duration::from_secs(30);
    while shop.got.lock().unwrap().is_none() {
        assert!(Instant::now() < latest, "the call should come to the service");
        std::thread::yield_now();
    }
    drop(connection);
    assert_eq!(dropped.next(), "get");
}

#[test]
fn bodies_that_are_no_json_for_the_message_are_refused_with_the_place() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({}));
    for (json, message) in [
        ("{\"id\": \"7\",\n \"idd\": 1}", "body: unrecognized field name 'idd' at line 2 column 6"),
        ("{\"id\": 7}", "body: invalid type: integer `7`, expected a string at line 1 column 8"),
        ("{\"id\": \"7\"", "body: EOF while parsing an object at line 1 column 10"),
        ("{} {}", "body: trailing characters at line 1 column 4"),
        ("{\"view\": \"HALF\"}", "body: unrecognized enum value 'HALF' at line 1 column 15"),
    ] {
        let answer = body(&proxy.post("/shop.Orders/Get", json), 400);
        assert_eq!(answer, error(3, message), "{json}");
    }
    let reply = proxy.send("POST", "/shop.Orders/Get", &[], "");
    assert_eq!(body(&reply, 200)["id"], json!(null), "no body is an empty message");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn fields_that_are_not_known_can_be_ignored() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({"ignore_unknown": true}));
    assert_eq!(body(&proxy.post("/shop.Orders/Get", r#"{"id": "7", "x": 1}"#), 200)["id"], "7");
    assert_eq!(body(&get(proxy.address(), "/v1/orders/7?x=1", &[]), 200)["id"], "7");
}

#[test]
fn only_plain_json_is_read() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({}));
    let status =
        |headers: &[(&str, &str)]| proxy.send("POST", "/shop.Orders/Get", headers, "{}").status;
    for accepted in ["application/json", "Application/JSON; charset=utf-8", "application/x+json"] {
        assert_eq!(status(&[("Content-Type", accepted)]), 200, "{accepted}");
    }
    for refused in ["application/x-www-form-urlencoded", "text/plain", "application/jsonx"] {
        assert_eq!(status(&[("Content-Type", refused)]), 415, "{refused}");
    }
    assert_eq!(status(&[]), 415);
    let gzip = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    assert_eq!(status(&gzip), 415);
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn large_messages_have_a_limit_on_both_sides() {
    let server = Shop::default().server();
    let roomy = start(&server, json!({}));
    let answer = body(&roomy.post("/shop.Orders/Get", r#"{"id": "large"}"#), 200);
    assert_eq!(answer["raw"].as_str().unwrap().len(), (3 << 20) / 3 * 4);
    let order = json!({"order": {"id": "a".repeat(3 << 20)}}).to_string();
    assert_eq!(body(&roomy.post("/shop.Orders/Put", &order), 200)["id"], "a".repeat(3 << 20));

    let tight = start(&server, json!({"message_limit": 1024}));
    let answer = body(&tight.post("/shop.Orders/Get", r#"{"id": "large"}"#), 502);
    assert_eq!(answer, error(8, "a message of 3145733 bytes; 1024 are allowed"));
    let message = error(8, "the request is larger than 1024 bytes");
    let post = |json: &str| body(&tight.post("/shop.Orders/Put", json), 413);
    assert_eq!(post(&json!({"order": {"id": "a".repeat(1024)}}).to_string()), message);
    let chunked = "POST /shop.Orders/Put HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                   Transfer-Encoding: chunked\r\n\r\n800\r\n";
    let chunked = format!("{chunked}{}\r\n0\r\n\r\n", " ".repeat(0x800));
    assert_eq!(body(&fixtures::exchange(tight.address(), chunked), 413), message);
}

#[test]
fn services_with_tls_and_http2_whatever_the_upstream_speaks() {
    let files = certificates();
    let ca = format!("--upstream-ca={}", files.ca.display());
    let shop = Shop::default();
    let (plain, tls) = (shop.server(), shop.tls(&files));
    for origin in [plain.origin("http"), tls.origin("https")] {
        for http in ["auto", "1", "2"] {
            let flags = [&ca, "--upstream-http", http];
            let proxy = start_with(&origin, json!({}), &flags);
            let reply = proxy.post("/shop.Orders/Get", r#"{"id": "7"}"#);
            assert_eq!(body(&reply, 200)["id"], "7", "{origin} with {http}");
        }
    }
}

#[test]
fn calls_are_counted_by_how_they_ended() {
    let server = Shop::default().server();
    let proxy = start_with(&server.origin("http"), json!({}), &["--admin", "127.0.0.1:0"]);
    proxy.post("/shop.Orders/Get", r#"{"id": "7"}"#);
    proxy.post("/shop.Orders/Get", r#"{"id": "missing"}"#);
    let line = proxy.host.wait_for_log("metrics are at http://");
    let (_, url) = line.split_once("http://").unwrap();
    let metrics = get(url.trim_end_matches("/metrics").parse().unwrap(), "/metrics", &[]);
    let counted = |code: &str, count: &str| {
        metrics.text().lines().any(|line| {
            line.starts_with("grpc_calls_total{")
                && line.contains(&format!("code=\"{code}\""))
                && line.ends_with(count)
        })
    };
    for (code, count) in [("OK", " 1.0"), ("NOT_FOUND", " 1.0"), ("INTERNAL", " 0.0")] {
        assert!(counted(code, count), "{code} should be{count} in\n{}", metrics.text());
    }
}
