//! A queue that nobody empties, or none at all: requests must not notice.

use crate::basic;
use crate::server::Setup;
use fixtures::Upstream;
use host_proxy::{AuditEvent, AuditQueue};

#[test]
fn requests_are_answered_while_nobody_takes_the_events() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let (queue, mut events) = AuditQueue::new(16, &setup.metrics);
    setup.parts.audit = Some(queue);
    let server = setup.start(&upstream);
    let mut browser = server.connect();
    for _ in 0..50 {
        assert_eq!(browser.get("/", &[basic("test:wrong")]).status, 401);
    }
    assert_eq!(browser.get("/", &[basic("test:secret")]).status, 200);
    // Requests may fill three quarters of it, logins all.
    server.shows("tenon_audit_events_total{kind=\"request\"} 6");
    server.shows("tenon_audit_events_total{kind=\"login\"} 10");
    server.shows("tenon_audit_events_dropped_total{kind=\"request\"} 45");
    server.shows("tenon_audit_events_dropped_total{kind=\"login\"} 41");

    let mut taken = Vec::new();
    assert_eq!(events.blocking_recv_many(&mut taken, 100), 16);
    assert!(matches!(taken[0], AuditEvent::Login(_)) && matches!(taken[1], AuditEvent::Request(_)));
    assert_eq!(browser.get("/", &[basic("test:wrong")]).status, 401);
    assert_eq!(events.blocking_recv_many(&mut taken, 100), 2, "there is room again");
}

#[test]
fn requests_are_answered_when_whoever_takes_the_events_has_gone() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let (queue, events) = AuditQueue::new(16, &setup.metrics);
    setup.parts.audit = Some(queue);
    drop(events);
    let server = setup.start(&upstream);
    assert_eq!(server.get("/", &[basic("test:secret")]).status, 200);
    server.shows("tenon_audit_events_dropped_total{kind=\"login\"} 1");
}

#[test]
fn without_a_queue_nothing_is_recorded() {
    let upstream = Upstream::echo();
    let setup = Setup::new();
    let (queue, mut events) = AuditQueue::new(16, &setup.metrics);
    let server = setup.start(&upstream);
    assert_eq!(server.get("/", &[basic("test:secret")]).status, 200);
    assert_eq!(server.get("/", &[basic("test:wrong")]).status, 401);
    assert!(events.try_recv().is_err());
    server.shows("tenon_audit_events_total{kind=\"request\"} 0");
    drop(queue);
}
