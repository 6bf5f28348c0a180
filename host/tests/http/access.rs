//! The record of each request.

use crate::raw::{self, skip_head, wait_for_end};
use crate::{proxy, proxy_to};
use fixtures::{Connection, Host, Launch, Upstream, exchange, get, library};
use serde_json::Value;
use std::io::{Read, Write};
use std::sync::mpsc;

/// The record of the request for `target`, as JSON.
fn record(host: &Host, target: &str) -> Value {
    let line = host.wait_for_stdout(&format!("\"target\":\"{target}\""));
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

const JSON: [&str; 2] = ["--log-format", "json"];

#[test]
fn a_record_says_what_was_asked_and_how_it_went() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &JSON);
    let reply = exchange(host.address(), "PUT /a?b=c HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody");
    let record = record(&host, "/a?b=c");
    assert_eq!(record["client"], "127.0.0.1");
    assert_eq!((&record["method"], &record["version"]), (&"PUT".into(), &"HTTP/1.0".into()));
    assert_eq!((&record["status"], &record["complete"]), (&200.into(), &true.into()));
    assert_eq!(record["bytes"], reply.body.len());
    let (whole, upstream) = (record["ms"].as_f64().unwrap(), record["upstream_ms"].as_f64());
    assert!(whole >= upstream.unwrap() && upstream.unwrap() > 0.0, "{record}");
    assert!(record["time"].as_str().unwrap().ends_with('Z'), "{record}");
    assert!(record.get("user").is_none(), "{record}");
}

#[test]
fn the_text_form_says_the_same() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &[]);
    let reply = get(host.address(), "/a", &[]);
    let line = host.wait_for_stdout("target=\"/a\"");
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(time.ends_with('Z'), "{line}");
    let fields: Vec<_> = rest.split(' ').map(|field| field.split_once('=').unwrap()).collect();
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let all = ["client", "method", "target", "version", "status", "bytes", "ms", "upstream_ms"];
    assert_eq!(names, all, "{line}");
    assert_eq!(fields[5].1, reply.body.len().to_string(), "{line}");
}

#[test]
fn answers_without_a_body_are_complete() {
    let upstream = Upstream::respond(|request| match request.target.as_str() {
        "/204" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        "/304" => b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n".to_vec(),
        "/head" => b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
    });
    let host = proxy(&upstream, &JSON);
    for (method, target) in [
        ("GET", "/204"),
        ("GET", "/304"),
        ("HEAD", "/head"),
        ("HEAD", "/chunked-head"),
        ("GET", "/"),
    ] {
        let mut connection = Connection::open(host.address());
        connection.send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(connection.read().complete, "{target}");
        let record = record(&host, target);
        assert_eq!((&record["bytes"], &record["complete"]), (&0.into(), &true.into()), "{target}");
    }
}

#[test]
fn what_the_host_answers_itself_is_recorded_and_complete() {
    let upstream = Upstream::echo();
    let host = Launch::new(&["--target", &upstream.url(), "--basic-user=test", JSON[0], JSON[1]])
        .env("TENON_BASIC_PASSWORD", "test")
        .start();
    get(host.address(), "/401", &[]);
    let record_401 = record(&host, "/401");
    assert_eq!((&record_401["status"], &record_401["complete"]), (&401.into(), &true.into()));
    assert!(record_401.get("upstream_ms").is_none() && record_401.get("user").is_none());

    let deny =
        format!("{}={}", library("ip-filter-plugin").display(), r#"{"deny": ["0.0.0.0/0"]}"#);
    let host = proxy(&upstream, &["--pre-plugin", &deny, "--log-format", "json"]);
    let reply = get(host.address(), "/403", &[]);
    let record_403 = record(&host, "/403");
    assert_eq!((reply.status, &record_403["status"]), (403, &403.into()));
    assert_eq!(
        (&record_403["complete"], &record_403["bytes"]),
        (&true.into(), &reply.body.len().into())
    );

    let mut connection = Connection::open(host.address());
    connection.send("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.read().status, 403);
    let head = record(&host, "/head");
    assert_eq!((&head["bytes"], &head["complete"]), (&0.into(), &true.into()));

    let redirects = library("redirects");
    let host = proxy(&upstream, &["--pre-plugin", redirects.to_str().unwrap(), JSON[0], JSON[1]]);
    assert_eq!(get(host.address(), "/302", &[]).header("location"), Some("/elsewhere"));
    let record_302 = record(&host, "/302");
    assert_eq!((&record_302["status"], &record_302["complete"]), (&302.into(), &true.into()));
    assert_eq!(record_302["bytes"], 0);

    let gone = Upstream::echo().url();
    let host = proxy_to(&gone, &JSON);
    get(host.address(), "/502", &[]);
    let record_502 = record(&host, "/502");
    assert_eq!((&record_502["status"], &record_502["complete"]), (&502.into(), &true.into()));
}

#[test]
fn a_client_that_leaves_in_the_middle_has_aborted() {
    let endless = raw::upstream(|mut stream| {
        skip_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        while stream.write_all(&[b'a'; 4096]).is_ok() {}
    });
    let host = proxy_to(&endless, &JSON);
    let mut socket = raw::connect(host.address());
    socket.write_all(b"GET /left HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    socket.read_exact(&mut [0; 8192]).unwrap();
    drop(socket);
    let record = record(&host, "/left");
    assert_eq!((&record["status"], &record["complete"]), (&200.into(), &false.into()));
    assert!(record["bytes"].as_u64().unwrap() > 4096, "{record}");
}

#[test]
fn a_client_that_does_not_wait_for_an_answer_is_recorded_too() {
    let (asked, is_asked) = mpsc::channel();
    let silent = raw::upstream(move |mut stream| {
        skip_head(&mut stream);
        let _ = asked.send(());
        wait_for_end(&mut stream);
        let _ = asked.send(());
    });
    let host = proxy_to(&silent, &JSON);
    let mut socket = raw::connect(host.address());
    socket.write_all(b"GET /left HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    is_asked.recv_timeout(raw::LIMIT).unwrap();
    drop(socket);
    let record = record(&host, "/left");
    assert_eq!((&record["status"], &record["complete"]), (&499.into(), &false.into()));
    is_asked.recv_timeout(raw::LIMIT).expect("the upstream should not be left to work on it");
}

#[test]
fn a_client_that_leaves_in_its_own_body_has_sent_no_whole_request() {
    let (said, heard) = mpsc::channel();
    let upstream = raw::upstream(move |mut stream| {
        let _ = said.send(raw::head(&mut stream).unwrap_or_default());
        let mut body = String::new();
        let _ = stream.read_to_string(&mut body);
        let _ = said.send(body);
    });
    let host = proxy_to(&upstream, &JSON);
    for (target, framing, sent) in [
        ("/length", "Content-Length: 10", "half"),
        ("/chunked", "Transfer-Encoding: chunked", "4\r\nhalf\r\n"),
    ] {
        let mut socket = raw::connect(host.address());
        let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
        socket.write_all(format!("{head}{sent}").as_bytes()).unwrap();
        let head = heard.recv_timeout(raw::LIMIT).unwrap();
        assert!(head.starts_with(&format!("POST {target} ")), "{head}");
        drop(socket);
        let body = heard.recv_timeout(raw::LIMIT).unwrap();
        assert!(sent.starts_with(&body), "{body:?} may be taken for a whole body");
        assert_eq!(record(&host, target)["status"], 400, "nobody else is to blame");
    }
}

#[test]
fn nobody_writes_records_of_his_own() {
    // The user of this header: a"b\c status=200 user="root, with the password test.
    const AUTHORIZATION: &str = "Basic YSJiXGMgc3RhdHVzPTIwMCB1c2VyPSJyb290OnRlc3Q=";
    let user = r#"a"b\c status=200 user="root"#;
    for (form, logged) in [
        ("text", r#" user="a\"b\\c status=200 user=\"root" "#),
        ("json", r#","user":"a\"b\\c status=200 user=\"root","#),
    ] {
        let upstream = Upstream::echo();
        let host = Launch::new(&["--target", &upstream.url(), "--log-format", form])
            .env("TENON_BASIC_USER", user)
            .env("TENON_BASIC_PASSWORD", "test")
            .start();
        let target = "/\"\u{2028}%0a,\"status\":200}";
        let raw =
            format!("GET {target} HTTP/1.1\r\nHost: a\r\nAuthorization: {AUTHORIZATION}\r\n\r\n");
        assert_eq!(exchange(host.address(), raw).status, 200);
        let line = host.wait_for_stdout("root");
        assert!(line.contains(logged), "{line}");
        assert_eq!(host.stdout().lines().count(), 1, "{}", host.stdout());
        if form == "json" {
            let record: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(
                (record["user"].as_str(), record["target"].as_str()),
                (Some(user), Some(target))
            );
        }
    }
}
