//! Every route, as it is meant to be used.

use crate::operator::lock;
use crate::{Served, assert_refused, json};
use fixtures::Connection;
use host::operator::{Command, Declined, Done, Reason, Status};
use host_proxy::Phase;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

#[test]
fn the_status_and_the_locks_come_as_they_are() {
    let served = Served::open();
    let status: Status = serde_json::from_value(json(&served.get("/api/status"))).unwrap();
    assert_eq!(status, *served.operator.status.lock().unwrap());
    let locks = json(&served.get("/api/locks"));
    assert_eq!(locks[0]["name"], "tenon-lock-bob");
    assert_eq!(locks.as_array().unwrap().len(), 1);
}

#[test]
fn each_command_reaches_the_operator_and_says_what_came_of_it() {
    let served = Served::open();
    let name = "a b/ü".to_owned();
    for (line, body, command) in [
        ("POST /api/reload", "{}", Command::Reload),
        ("POST /api/reload", "", Command::Reload),
        ("POST /api/rollback", " {} ", Command::Rollback),
        ("POST /api/restart", "{}", Command::Restart),
        ("POST /api/promote", "{}", Command::Promote { id: None, force: false }),
        (
            "POST /api/promote",
            "{\"force\": true, \"id\": 7}",
            Command::Promote { id: Some(7), force: true },
        ),
        ("POST /api/plugins/7/disable", "{}", Command::Disable { id: 7 }),
        ("POST /api/plugins/18446744073709551615/enable", "{}", Command::Enable { id: u64::MAX }),
        ("DELETE /api/locks/a%20b%2F%C3%BC", "", Command::RemoveLock { name }),
    ] {
        let reply = served.tell(line, body);
        assert_eq!(
            (reply.status, &json(&reply)["message"]),
            (200, &"done as told".into()),
            "{line}"
        );
        assert_eq!(served.operator.told().last(), Some(&command), "{line}");
    }
    assert_eq!(served.operator.told().len(), 9);
}

#[test]
fn a_command_that_is_declined_has_the_status_of_its_reason() {
    let served = Served::open();
    for (reason, status) in
        [(Reason::NotFound, 404), (Reason::Conflict, 409), (Reason::Failed, 500)]
    {
        let message = "there is no plugin 9".to_owned();
        served.operator.answers(Err(Declined { reason, message }));
        let reply = served.tell("POST /api/plugins/9/enable", "{}");
        assert_refused(&reply, status, "there is no plugin 9");
    }
}

/// It would leave the host between two states.
#[test]
fn a_command_whose_client_has_left_is_carried_out_whole() {
    let served = Served::open();
    let (begun, has_begun) = mpsc::channel();
    let (proceed, may_proceed) = tokio::sync::oneshot::channel::<()>();
    let (ended, has_ended) = mpsc::channel();
    served.operator.waits(Box::pin(async move {
        begun.send(()).unwrap();
        may_proceed.await.unwrap();
        ended.send(()).unwrap();
        Ok(Done { message: String::new() })
    }));
    let mut connection = Connection::open(served.address);
    let host = served.address;
    connection.send(format!(
        "POST /api/reload HTTP/1.1\r\nHost: {host}\r\nX-Tenon-Admin: 1\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    ));
    has_begun.recv().unwrap();
    drop(connection);
    // Other requests are answered meanwhile, by which time the listener knows that the client left.
    assert_eq!(served.get("/api/status").status, 200);
    proceed.send(()).unwrap();
    has_ended.recv().unwrap();
}

#[test]
fn a_command_that_panics_is_an_answer_too() {
    let served = Served::open();
    served.operator.waits(Box::pin(async { panic!("a mistake of ours") }));
    assert_refused(&served.tell("POST /api/reload", "{}"), 500, "the log has more");
    assert_eq!(served.tell("POST /api/reload", "{}").status, 200);
}

#[test]
fn the_probes_say_whether_the_host_lives_and_takes_requests() {
    let served = Served::open();
    let probe = |path| {
        let reply = served.get(path);
        (reply.status, reply.text().to_owned())
    };
    for (phase, ready) in [
        (Phase::Starting, (503, "starting\n".to_owned())),
        (Phase::Serving, (200, "ready\n".to_owned())),
        (Phase::Draining, (503, "draining\n".to_owned())),
    ] {
        *served.operator.phase.lock().unwrap() = phase;
        assert_eq!(probe("/readyz"), ready);
        assert_eq!(probe("/healthz"), (200, "ok\n".to_owned()));
    }
}

#[test]
fn the_numbers_of_the_status_are_metrics() {
    let served = Served::open();
    let shows = |line: &str| {
        let reply = served.get("/metrics");
        let text = reply.text();
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
        let names: Vec<_> = text.lines().filter(|line| line.starts_with("# HELP")).collect();
        let mut once = names.clone();
        once.dedup();
        assert_eq!(names, once, "no metric is there twice");
    };
    shows("tenon_ready 1");
    shows("tenon_event_plugin_instances{plugin=\"lockout\"} 2");
    shows("tenon_event_plugin_busy{plugin=\"lockout\"} 1");
    shows("tenon_audit_events_waiting 17");
    shows("tenon_audit_events_room 8192");
    shows("tenon_store_tokens 11");
    shows("tenon_store_values 12");
    shows("tenon_store_bytes 2048");
    shows("tenon_store_limit_bytes 67108864");
    shows("tenon_locks 1");
    served.operator.change(|status| {
        status.phase = "draining".to_owned();
        status.event_plugins.clear();
        status.locks = 0;
    });
    shows("tenon_ready 0");
    shows("tenon_locks 0");
    let text = served.get("/metrics").text().to_owned();
    assert!(!text.contains("tenon_event_plugin_instances{"), "a plugin that is gone:\n{text}");
    let memory = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    assert!(memory.unwrap().parse::<u64>().unwrap() > 1 << 20);
}

#[test]
fn head_is_get_without_a_body() {
    let served = Served::open();
    let get = served.get("/api/locks");
    let mut connection = Connection::open(served.address);
    connection.send(format!("HEAD /api/locks HTTP/1.1\r\nHost: {}\r\n\r\n", served.address));
    let head = connection.read();
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), Some(&*get.body.len().to_string()));
}

#[test]
fn a_status_of_many_locks_does_not_hold_others_up() {
    let served = Served::open();
    let many = (0..10_000).map(|number| lock(&format!("lock-{number}"), "bob")).collect();
    *served.operator.locks.lock().unwrap() = many;
    assert_eq!(json(&served.get("/api/locks")).as_array().unwrap().len(), 10_000);
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(served.get("/api/locks").status, 200);
                }
            });
        }
        for _ in 0..20 {
            assert_eq!(served.get("/healthz").status, 200);
        }
        stop.store(true, Ordering::Relaxed);
    });
}
