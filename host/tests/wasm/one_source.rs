//! A library and a module of one source give the same answers.

use crate::{metrics, with};
use fixtures::{Host, Launch, Reply, Request, Upstream, exchange, get, guest, library};
use std::fmt::Write as _;

/// The plugin in both forms; each has a host of its own.
fn both(name: &str, guest_name: &str, config: &str, more: &[&str]) -> [(Host, Upstream); 2] {
    [library(name), guest("rust", guest_name)].map(|file| {
        let upstream = Upstream::respond(|request| {
            let length = request.body.len();
            let head = format!("HTTP/1.1 200 OK\r\nX-Old: up\r\nContent-Length: {length}\r\n\r\n");
            [head.as_bytes(), &request.body].concat()
        });
        let (target, plugin) = (upstream.url(), with(&file, config));
        let args = ["--target", &target, "--admin", "127.0.0.1:0", "--pre-plugin", &plugin];
        // A debug build takes seconds to find the names of a trap's backtrace.
        let launch = Launch::new(&[more, &args].concat()).env("RUST_BACKTRACE", "0");
        (launch.start(), upstream)
    })
}

#[test]
fn the_ip_filter_lets_in_and_turns_away_the_same() {
    let pair = |config: &str| both("ip-filter-plugin", "ip-filter", config, &[]);
    for hosts in [pair(r#"{"deny": ["127.0.0.1"]}"#), pair(r#"{"allow": ["10.0.0.0/8"]}"#)] {
        for (host, upstream) in &hosts {
            for _ in 0..2 {
                let reply = get(host.address(), "/", &[("X-Forwarded-For", "10.0.0.1")]);
                assert_eq!((reply.status, reply.text()), (403, "not from this address\n"));
                assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
            }
            assert_eq!(upstream.requests().len(), 0);
            let counted = "ip_filter_denied_total{plugin=\"ip-filter-plugin\"} 2";
            assert!(metrics(host).contains(counted), "{}", metrics(host));
        }
    }
    for (host, _) in pair(r#"{"allow": ["127.0.0.0/8", "::1"], "deny": ["10.0.0.0/8"]}"#) {
        assert_eq!(get(host.address(), "/", &[]).status, 200);
        let counted = "ip_filter_denied_total{plugin=\"ip-filter-plugin\"} 0";
        assert!(metrics(&host).contains(counted), "it shows before it counts: {}", metrics(&host));
    }
}

#[test]
fn a_wrong_configuration_stops_the_start_with_the_same_words() {
    for config in [r#"{"deny": ["10.0.0.0/33"]}"#, r#"{"alow": []}"#, "{}"] {
        let words = [library("ip-filter-plugin"), guest("rust", "ip-filter")].map(|file| {
            let plugin = with(&file, config);
            let output = Host::fails(&["--target=http://127.0.0.1:1", "--pre-plugin", &plugin]);
            assert_eq!(output.code, Some(1), "{output:?}");
            let (before, reason) = output.stderr.split_once(": refused: it ").unwrap();
            assert!(before.contains("the PRE plugin is not usable"), "{output:?}");
            reason.lines().next().unwrap().to_owned()
        });
        assert!(words[0].starts_with("could not register: "), "{words:?}");
        assert_eq!(words[0], words[1], "{config}");
    }
}

/// What the client and the upstream saw of an exchange, without what differs each time.
fn seen(reply: &Reply, request: Option<&Request>) -> String {
    let lines = |fields: &[(String, Vec<u8>)]| {
        let kept = fields.iter().filter(|(name, _)| {
            !["date", "host", "x-forwarded-host"].contains(&&*name.to_ascii_lowercase())
        });
        let line = |(name, value): &(String, Vec<u8>)| {
            format!("  {}: {}\n", name.to_ascii_lowercase(), value.escape_ascii())
        };
        let mut lines: Vec<_> = kept.map(line).collect();
        lines.sort();
        lines.concat()
    };
    let client =
        format!("{}\n{}{}\n", reply.status, lines(&reply.headers), reply.body.escape_ascii());
    let upstream = request.map(|it| {
        let (head, body) = (lines(&it.headers), it.body.escape_ascii());
        format!("{} {}\n{head}{body}\n", it.method, it.target)
    });
    client + &upstream.unwrap_or_default()
}

#[test]
fn everything_that_both_can_do_comes_out_the_same() {
    let shares = library("shares").display().to_string();
    let hosts = both("both", "both", r#"{"a": [1, "é"]}"#, &["--pre-plugin", &shares]);
    let request = |line: &str, fields: &[(&str, &str)], body: &[u8]| {
        let mut head = format!("{line} HTTP/1.1\r\nHost: here:81\r\n");
        for (name, value) in fields {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !body.is_empty() {
            let _ = write!(head, "Content-Length: {}\r\n", body.len());
        }
        [head.as_bytes(), b"\r\n", body].concat()
    };
    let same = |line: &str, fields: &[(&str, &str)], body: &[u8]| {
        let raw = request(line, fields, body);
        let seen = hosts.each_ref().map(|(host, upstream)| {
            let before = upstream.requests().len();
            let reply = exchange(host.address(), &raw);
            seen(&reply, upstream.requests().get(before))
        });
        assert_eq!(seen[0], seen[1], "{line} {fields:?}");
        seen[1].clone()
    };
    let has = |seen: &str, parts: &[&str]| {
        for part in parts {
            assert!(seen.contains(part), "{part:?} should be in:\n{seen}");
        }
    };

    has(&same("GET /plain", &[], b""), &["200\n", "x-kept: /plain 1\n", "x-old: up\n"]);
    let echo = same("GET /a%2Fb?c=d&e", &[("X-Do", "echo"), ("X-Raw", "caf\u{e9} \"\\")], b"");
    has(
        &echo,
        &["x-line: GET http /a%2Fb c=d&e 0\n", "x-who: here 127.0.0.1 None\n", "x-names: host "],
    );
    let config = r#"x-config: {\"a\": [1, \"\xc3\xa9\"]}"#;
    has(&echo, &[r#"x-raw-back: caf\xc3\xa9 \"\\"#, config]);
    assert!(!echo.contains("x-values: none"), "the value of the plugin before it:\n{echo}");
    has(
        &same("GET /h", &[("X-Do", "headers"), ("X-Old", "1"), ("X-B", "2")], b""),
        &[
            "  x-a: 1\n  x-a: 2\n",
            "x-old: new\n",
            r"x-bytes: a\xe9",
            "x-refused: true\n",
            "x-now: 1\n",
        ],
    );
    has(
        &same("GET /l", &[("X-Do", "line")], b""),
        &["PUT /elsewhere?by=both\n", "PUT /elsewhere\n"],
    );
    has(&same("GET /r", &[("X-Do", "respond")], b""), &["418\n", r"x-by: both \xe9", r"ok\xff"]);
    for wrong in ["framing", "name", "value", "fail"] {
        has(&same("GET /w", &[("X-Do", wrong)], b""), &["500\n"]);
    }
    let body = same("POST /b", &[("X-Do", "body")], b"some \xff bytes");
    has(&body, &["x-length: 12\n", r"SOME \xff BYTES", "x-kept: /b 2\n"]);
    let large = vec![b'x'; (64 << 10) + 1];
    let large = same("POST /b", &[("X-Do", "body")], &large);
    has(&large, &["413\n", "the body has more than 65536 bytes"]);
    has(&same("POST /back", &[("X-Back", "body")], b"abc"), &["abc!", "content-length: 4\n"]);
    has(&same("GET /back", &[("X-Back", "status")], b""), &["202\n"]);
    has(&same("GET /back", &[("X-Back", "headers")], b""), &["x-old: new\n", "x-refused: true\n"]);
    has(&same("GET /back", &[("X-Back", "respond")], b""), &["409\n", "on the way back"]);
    has(&same("GET /back", &[("X-Back", "fail")], b""), &["500\n"]);
    has(&same("GET /c", &[("X-Do", "count")], b""), &["x-tokens: 1\n", "x-last: \n"]);
    has(&same("GET /c", &[("X-Do", "count")], b""), &["x-tokens: 2\n", "x-last: 1\n"]);
    same("GET /log", &[("X-Do", "log")], b"");
    has(&same("GET /p", &[("X-Do", "panic")], b""), &["500\n"]);
    has(&same("GET /after", &[], b""), &["200\n", "x-kept: /after 1\n"]);

    for (host, _) in &hosts {
        let metrics = metrics(host);
        has(
            &metrics,
            &["both_counted_total{plugin=\"both\",by=\"x\"} 4", "both_size{plugin=\"both\"} 1"],
        );
        for line in ["told to log", "told to fail on the way back", "told to panic", "both.counted"]
        {
            host.wait_for_log(line);
        }
        let line = host.wait_for_log("told to log");
        has(&line, &["WARN", "answer=42", "word=\"a b\""]);
    }
}
