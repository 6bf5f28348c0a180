//! A plugin that fails again and again is called no more for a while, and again when it works.

use crate::faults::Faulty;
use fixtures::Connection;
use std::thread;
use std::time::{Duration, Instant};

const PRE: &str = "place=\"pre\"";
const DISABLED: &str = "place=\"pre\",state=\"disabled\"";
const ACTIVE: &str = "place=\"pre\",state=\"active\"";

/// A breaker that opens at the third failure.
fn breaker(rest: &str, more: &str) -> Faulty {
    Faulty::pre(&format!("breaker = {{ failures = 3, window = '60s', rest = '{rest}' }}\n{more}"))
}

/// Asks until the plugin is called again, however long it rests.
fn until_called(faulty: &Faulty) {
    let limit = Instant::now() + Duration::from_secs(10);
    while faulty.ask("").header("x-misbehaves").is_none() {
        assert!(Instant::now() < limit, "it should be called again:\n{}", faulty.host.log());
    }
}

#[test]
fn it_opens_and_requests_fail_at_once_under_fail() {
    let faulty = breaker("1h", "");
    for (way, after) in [("panic", 200), ("error", 200), ("bad-status", 503)] {
        assert_eq!((faulty.status(way), faulty.status("")), (500, after));
    }
    let line = faulty.host.wait_for_log("is disabled by its breaker");
    assert!(line.contains("misbehaves is disabled by its breaker: 3 failures within"), "{line}");
    let reached = faulty.upstream.requests().len();
    for way in ["", "panic", "hang"] {
        assert_eq!(faulty.status(way), 503);
    }
    assert_eq!(faulty.upstream.requests().len(), reached);
    assert_eq!(faulty.metric("not_called_total", PRE), 4);
    assert_eq!(faulty.metric("breaker_opened_total", PRE), 1);
    assert_eq!(faulty.metric("state", DISABLED), 1);
}

#[test]
fn it_opens_and_requests_go_on_under_bypass() {
    let faulty = breaker("1h", "on-panic = 'bypass'");
    for _ in 0..3 {
        assert_eq!(faulty.status("error"), 500);
    }
    for way in ["", "error", "panic"] {
        let reply = faulty.ask(way);
        assert_eq!((reply.status, reply.header("x-misbehaves")), (200, None));
        assert_eq!(faulty.upstream.last().header("x-misbehaves"), None);
    }
}

#[test]
fn it_closes_when_an_attempt_goes_well() {
    let faulty = breaker("50ms", "on-panic = 'bypass'");
    for _ in 0..3 {
        assert_eq!(faulty.status("panic"), 200);
    }
    assert_eq!(faulty.metric("state", DISABLED), 1);
    until_called(&faulty);
    faulty.host.wait_for_log("misbehaves was tried and works: it is called again");
    assert_eq!(faulty.metric("state", ACTIVE), 1);
    assert_eq!(faulty.ask("").header("x-misbehaves"), Some("seen"));
}

/// A plugin that fails in its response hook only must not be taken for one that works again as soon
/// as its request hook has passed.
#[test]
fn an_attempt_is_a_whole_request_with_its_response() {
    let faulty = breaker("50ms", "");
    for _ in 0..3 {
        assert_eq!(faulty.status("response-error"), 500);
    }
    let attempt = || {
        let limit = Instant::now() + Duration::from_secs(10);
        while faulty.status("response-error") != 500 {
            assert!(Instant::now() < limit, "there should be an attempt");
        }
    };
    attempt();
    faulty.host.wait_for_log("misbehaves was tried and failed; it rests for 100ms: on demand");
    attempt();
    faulty.host.wait_for_log("misbehaves was tried and failed; it rests for 200ms: on demand");
    until_called(&faulty);
    assert!(!faulty.host.log().contains("rests for 400ms"));
}

/// What hangs in an attempt is one request, not all that come meanwhile.
#[test]
fn one_request_at_a_time_is_an_attempt() {
    let faulty = breaker("500ms", "deadline = '50ms'");
    for _ in 0..3 {
        assert_eq!(faulty.status("hang"), 504);
    }
    let overdue = || faulty.metric("overdue_total", PRE);
    assert_eq!(overdue(), 3);
    let connect = |_| Connection::open(faulty.host.address());
    let connections: Vec<_> = (0..8).map(connect).collect();
    // It is the rest that has to pass; all come when it has.
    #[allow(clippy::disallowed_methods)] // its rest is over by time alone
    thread::sleep(Duration::from_millis(550));
    let statuses: Vec<u16> = thread::scope(|scope| {
        let ask = |mut connection: Connection| {
            scope.spawn(move || {
                connection.send("GET / HTTP/1.1\r\nHost: a\r\nX-Misbehave: hang\r\n\r\n");
                connection.read().status
            })
        };
        let threads: Vec<_> = connections.into_iter().map(ask).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let waited = statuses.iter().filter(|status| **status == 504).count();
    assert_eq!((waited, statuses.len()), (1, 8), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 503 | 504)), "{statuses:?}");
    assert_eq!(overdue(), 4);
}

#[test]
fn an_authenticator_that_rests_lets_nobody_in() {
    let faulty = Faulty::file(
        "[patches.authenticator]\nconfig = { register = 'authenticator' }\n\
         breaker = { failures = 1, rest = '1h' }",
    );
    let named = [("x-user", "anyone")];
    let status = || fixtures::get(faulty.host.address(), "/", &named).status;
    assert_eq!(status(), 200);
    assert_eq!(faulty.status("panic"), 500);
    assert_eq!((status(), status()), (503, 503));
    assert_eq!(faulty.upstream.requests().len(), 1);
}

#[test]
fn an_error_page_that_rests_is_replaced_by_the_built_in() {
    let faulty = Faulty::file(
        "basic-user = 'a'\nbasic-password = 'b'\n\
         [patches.error_page]\nconfig = { register = 'error_page' }\n\
         breaker = { failures = 1, rest = '1h' }",
    );
    assert_eq!(faulty.ask("").text(), "a page of its own\n");
    assert_eq!(faulty.ask("panic").text(), "401 Unauthorized\n");
    assert_eq!(faulty.ask("").text(), "401 Unauthorized\n");
    assert_eq!(faulty.metric("not_called_total", "place=\"error_page\""), 1);
}
