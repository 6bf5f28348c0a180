//! One guest for each way to fail, all in one chain: each fails its own request, with the reason in the
//! log and not in the answer, and the next request is served.

use crate::{configured, metrics, middleware};
use fixtures::{Upstream, get};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// The guest, the path that it fails on, and what the log says of it.
const GUESTS: [(&str, &str, &str); 12] = [
    ("trap", "/trapped", "trap failed: on_request trapped: "),
    ("loop", "/looping", "loop failed: on_request ran longer than 300ms and was ended"),
    (
        "memory",
        "/memory-",
        "memory failed: on_request wanted more than its 4194304 bytes of memory",
    ),
    (
        "huge_output",
        "/hugeout",
        "huge_output failed: on_request trapped: the plugin passed 17825792 bytes, more than",
    ),
    ("fails", "/failing", "fails failed: on_request failed: no luck!"),
    ("garbage", "/garbage", "garbage failed: what on_request returned is not right: "),
    (
        "wrong_types",
        "/wrongty",
        "is not right: invalid type: string \"x-a: 1\", expected a sequence",
    ),
    (
        "unknown_step",
        "/unknown",
        "unknown variant `jump`, expected one of `next`, `respond`, `body`",
    ),
    ("framing", "/framing", "Connection: the host sets the headers of the connection itself"),
    ("respond_without", "/without", "on_request says \"respond\" without a response"),
    ("body_twice", "/bodytwi", "on_request asked for the body a second time"),
    ("bad_status", "/badstat", "99 is no status to answer with"),
];

#[test]
fn each_fails_its_own_request_and_no_other() {
    let upstream = Upstream::echo();
    let mut text = "admin = \"127.0.0.1:0\"\n".to_owned();
    for (name, _, _) in GUESTS {
        let path = middleware(name);
        let _ =
            write!(text, "[[pre-plugin]]\npath = {path:?}\ntimeout = \"300ms\"\nconcurrency = 1\n");
        if name == "memory" {
            text.push_str("memory = 4194304\n");
        }
    }
    let path = middleware("contract");
    let _ = write!(text, "[[post-plugin]]\npath = {path:?}\n");
    let host = configured(&upstream.url(), &text);
    for (name, path, words) in GUESTS {
        for _ in 0..2 {
            let reply = get(host.address(), path, &[]);
            assert_eq!(
                (reply.status, reply.text()),
                (500, "500 Internal Server Error\n"),
                "{name}"
            );
            let healthy = get(host.address(), "/healthy", &[]);
            assert_eq!(healthy.status, 202, "after {name}: {}", host.log());
        }
        let line = host.wait_for_log(words);
        assert!(line.contains("ERROR"), "{line}");
        let counted = format!("tenon_plugin_failures_total{{plugin=\"{name}\",kind=\"error\"}} 2");
        assert!(metrics(&host).contains(&counted), "{name}: {}", metrics(&host));
    }
}

#[test]
fn who_waits_behind_one_that_hangs_does_not_wait_for_ever() {
    let upstream = Upstream::echo();
    let text = format!(
        "[[pre-plugin]]\npath = {:?}\ntimeout = \"400ms\"\nconcurrency = 1\n",
        middleware("loop")
    );
    let host = configured(&upstream.url(), &text);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(get(host.address(), "/looping", &[]).status, 500));
        }
    });
    // One after the other they would take 3.2 seconds.
    assert!(begin.elapsed() < Duration::from_millis(2500), "{:?}", begin.elapsed());
    host.wait_for_log("all its instances were busy; it got no answer in 800ms");
    assert_eq!(get(host.address(), "/", &[]).status, 200);
}
