//! A plugin that panics harms no request but its own, however often it does.

use crate::proxy;
use fixtures::{Connection, Host, Upstream, library};
use std::thread;

/// Sends requests over one connection, every other one with the header that makes the plugin panic.
fn alternate(host: &Host, place: &str) {
    let mut connection = Connection::open(host.address());
    for at in 0..50 {
        let (header, status) = match at % 2 {
            0 => (format!("X-Panic: {place}\r\n"), 500),
            _ => (String::new(), 200),
        };
        connection.send(format!("GET /{at} HTTP/1.1\r\nHost: a\r\n{header}\r\n"));
        let reply = connection.read();
        assert_eq!((reply.status, reply.complete), (status, true), "{place}, {at}");
        if status == 200 {
            assert!(reply.text().starts_with(&format!("GET /{at} ")), "{place}: {}", reply.text());
        }
    }
}

#[test]
fn a_plugin_that_panics_all_the_time_leaves_the_others_alone() {
    let upstream = Upstream::echo();
    let plugin = library("panics-everywhere");
    let host = proxy(&upstream, &["--pre-plugin", plugin.to_str().unwrap()]);
    thread::scope(|scope| {
        for place in ["request", "request-async", "response", "response-async"] {
            let host = &host;
            scope.spawn(move || alternate(host, place));
            scope.spawn(move || alternate(host, place));
        }
    });
    assert!(host.is_running());
    assert!(host.stop().success(), "{}", host.log());
}
