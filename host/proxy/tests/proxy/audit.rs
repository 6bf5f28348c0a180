//! What is recorded of logins and requests, and when.

use crate::server::Setup;
use crate::{basic, bearer};
use fixtures::{After, Connection, Upstream};
use host_proxy::native::{Info, Offers, Plugin};
use host_proxy::{AuditEvent, LoginEvent, LoginOutcome, Place, Policy, RequestEvent, Stage};
use plugin_interface::host::authenticator_object;
use plugin_interface::{Authenticator, Exchange, Response, Verdict};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

const WRONG: LoginOutcome = LoginOutcome::Failure { error: "wrong user or password" };

fn logins(events: &[AuditEvent]) -> Vec<(&str, &str, &LoginOutcome)> {
    events
        .iter()
        .filter_map(|event| match event {
            AuditEvent::Login(it) => Some((&*it.user, &*it.method, &it.outcome)),
            _ => None,
        })
        .collect()
}

fn login(event: AuditEvent) -> LoginEvent {
    match event {
        AuditEvent::Login(login) => login,
        other => panic!("this should be a login: {other:?}"),
    }
}

fn request(event: AuditEvent) -> RequestEvent {
    match event {
        AuditEvent::Request(request) => request,
        other => panic!("this should be a request: {other:?}"),
    }
}

#[test]
fn a_failed_login_is_recorded_each_time() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let events = setup.events();
    setup.trusted_proxies.push("127.0.0.1/32".parse().unwrap());
    let server = setup.start(&upstream);
    let before = SystemTime::now();
    let mut browser = server.connect();
    for _ in 0..2 {
        let agent = ("User-Agent", "curl/8".to_owned());
        let client = ("X-Forwarded-For", "192.0.2.7".to_owned());
        assert_eq!(browser.get("/", &[basic("test:wrong"), agent, client]).status, 401);
        let event = login(events.next());
        assert!(before <= event.time && event.time <= SystemTime::now());
        assert_eq!((&*event.user, &*event.method, &event.outcome), ("test", "basic", &WRONG));
        assert_eq!(
            (event.client.ip().to_string().as_str(), &*event.user_agent),
            ("192.0.2.7", "curl/8")
        );
        assert_eq!(request(events.next()).status, 401);
    }
    assert_eq!(events.all(), []);
}

#[test]
fn a_login_is_recorded_once_for_a_connection_and_user() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let events = setup.events();
    setup.parts.pre.push(setup.jwt());
    let server = setup.start(&upstream);
    for _ in 0..2 {
        let mut browser = server.connect();
        for credentials in
            [basic("test:secret"), basic("test:secret"), basic("test:wrong"), basic("test:secret")]
        {
            browser.get("/", &[credentials]);
        }
        let test = ("test", "basic", &LoginOutcome::Success);
        assert_eq!(logins(&events.all()), [test, ("test", "basic", &WRONG)]);
        browser.get("/", &[bearer()]);
        browser.get("/", &[bearer()]);
        browser.get("/", &[basic("test:secret")]);
        let alice = ("alice", "jwt-plugin/jwt", &LoginOutcome::Success);
        assert_eq!(logins(&events.all()), [alice, test], "another user has taken it over");
    }
}

#[test]
fn only_credentials_can_be_wrong() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let events = setup.events();
    setup.parts.pre.push(setup.jwt());
    let server = setup.start(&upstream);
    let authorization = |value: &str| ("Authorization", value.to_owned());
    assert_eq!(server.get("/", &[]).status, 401);
    assert_eq!(server.get("/", &[authorization("Digest username=test")]).status, 401);
    assert_eq!(logins(&events.all()), []);

    assert_eq!(server.get("/", &[authorization("Bearer a.b.c")]).status, 401);
    let failure = LoginOutcome::Failure { error: "wrong credentials" };
    assert_eq!(logins(&events.all()), [("", "jwt-plugin/jwt", &failure)]);
    for value in ["Basic", "Basic !", "Basic bm9ib2R5"] {
        let status = server.get("/", &[authorization(value)]).status;
        assert_eq!(status, 401, "{value}");
        let expected: &[_] = if value == "Basic" { &[] } else { &[("", "basic", &WRONG)] };
        assert_eq!(logins(&events.all()), expected, "{value}");
    }
}

/// Rejects everything, with this status.
struct Rejects(u16);

impl Authenticator for Rejects {
    fn challenge(&self) -> String {
        String::new()
    }

    fn authenticate(&self, _: &mut Exchange<'_>) -> plugin_interface::Result<Verdict> {
        Ok(Verdict::Reject(Response::new(self.0)))
    }
}

#[test]
fn who_is_sent_elsewhere_or_comes_too_early_has_not_failed() {
    let upstream = Upstream::echo();
    let failure = LoginOutcome::Failure { error: "wrong credentials" };
    for (status, expected) in [(302, 0), (503, 0), (401, 1), (403, 1)] {
        let mut setup = Setup::new();
        let events = setup.events();
        let object = authenticator_object(Rejects(status));
        let offers =
            Offers { authenticators: vec![("a".into(), Arc::new(object))], ..Offers::default() };
        let info = Info { name: "p".into(), ..Info::default() };
        let plugin = Plugin { path: "p.so".into(), info, offers };
        let stage = Stage::new(plugin, Place::Pre, Policy::default(), Arc::default());
        setup.parts.pre.push(stage);
        let server = setup.start(&upstream);
        assert_eq!(server.get("/", &[]).status, status);
        assert_eq!(logins(&events.all()), [("", "p/a", &failure)][..expected], "{status}");
    }
}

#[test]
fn a_locked_user_is_recorded_with_the_message_and_not_as_let_in() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let (events, locks) = (setup.events(), setup.locks());
    setup.parts.pre.push(setup.jwt());
    let server = setup.start(&upstream);
    let mut browser = server.connect();
    locks.lock("test", "soon over");
    locks.lock("alice", "for ever");
    for credentials in [basic("test:secret"), basic("test:wrong"), bearer()] {
        assert_eq!(browser.get("/", &[credentials]).status, 403);
    }
    let all = events.all();
    let soon = LoginOutcome::Locked { message: "soon over".into() };
    let ever = LoginOutcome::Locked { message: "for ever".into() };
    assert_eq!(soon.error(), Some("soon over"));
    let expected =
        [("test", "basic", &soon), ("test", "basic", &soon), ("alice", "jwt-plugin/jwt", &ever)];
    assert_eq!(logins(&all), expected);
    let users: Vec<_> = all
        .iter()
        .filter_map(|event| match event {
            AuditEvent::Request(request) => Some((request.status, request.user.as_deref())),
            _ => None,
        })
        .collect();
    assert_eq!(users, [(403, None); 3]);
    locks.lift("test");
    assert_eq!(browser.get("/", &[basic("test:secret")]).status, 200);
    assert_eq!(logins(&events.all()), [("test", "basic", &LoginOutcome::Success)]);
}

#[test]
fn every_request_is_recorded_as_the_client_wrote_it() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let events = setup.events();
    let server = setup.start(&upstream);
    let mut browser = server.connect();
    browser.get("/a%2Fb//?c=d&e=%20", &[basic("test:secret")]);
    assert_eq!(login(events.next()).outcome, LoginOutcome::Success);
    let event = request(events.next());
    assert_eq!((&*event.method, &*event.path, &*event.query), ("GET", "/a%2Fb//", "c=d&e=%20"));
    assert_eq!((event.status, event.user.as_deref()), (200, Some("test")));
    assert!(event.client.ip().is_loopback() && event.duration > Duration::ZERO);

    server.get("/401", &[]);
    let event = request(events.next());
    assert_eq!((&*event.path, event.status, event.user), ("/401", 401, None));

    // What is malformed is answered here, and recorded too.
    let mut connection = Connection::open(server.address);
    connection.send("POST /400 HTTP/1.1\r\nHost: a b\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(connection.read().status, 400);
    let event = request(events.next());
    assert_eq!((&*event.method, &*event.path, event.status), ("POST", "/400", 400));
    assert_eq!(events.all(), []);
}

#[test]
fn a_request_is_recorded_before_its_body_has_ended() {
    let (finish, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::serve(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")?;
        stream.flush()?;
        let _ = wait.lock().unwrap().recv();
        stream.write_all(b"lf")?;
        stream.flush()?;
        Ok(After::KeepAlive)
    });
    let mut setup = Setup::new();
    let events = setup.events();
    let server = setup.start(&upstream);
    std::thread::scope(|scope| {
        let reply = scope.spawn(|| server.get("/half", &[basic("test:secret")]));
        login(events.next());
        assert_eq!(request(events.next()).status, 200);
        finish.send(()).unwrap();
        assert_eq!(reply.join().unwrap().text(), "half");
    });
    assert_eq!(events.all(), [], "and not once more at its end");
}

#[test]
fn a_client_that_does_not_wait_has_still_asked() {
    let (asked, is_asked) = mpsc::channel();
    let (finish, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::serve(move |_, _| {
        let _ = asked.send(());
        let _ = wait.lock().unwrap().recv();
        Ok(After::Close)
    });
    let mut setup = Setup::new();
    let events = setup.events();
    let server = setup.start(&upstream);
    let mut connection = Connection::open(server.address);
    let (name, value) = basic("test:secret");
    connection.send(format!("DELETE /all HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n\r\n"));
    is_asked.recv_timeout(Duration::from_secs(10)).unwrap();
    drop(connection);
    login(events.next());
    let event = request(events.next());
    assert_eq!(
        (&*event.method, event.status, event.user.as_deref()),
        ("DELETE", 499, Some("test"))
    );
    drop(finish);
}

#[test]
fn a_client_cannot_fill_the_memory_with_events() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let events = setup.events();
    let server = setup.start(&upstream);
    let long = "a".repeat(5000);
    let agent = ("User-Agent", long.clone());
    let credentials = basic([&[0xff; 1000][..], b":p"].concat());
    server.get(&format!("/{long}?{long}"), &[agent, credentials]);
    let event = login(events.next());
    assert_eq!(event.user, "\u{fffd}".repeat(AuditEvent::TEXT / 3), "text, whatever was sent");
    assert_eq!(event.user_agent.len(), AuditEvent::TEXT);
    let event = request(events.next());
    assert_eq!((event.path.len(), event.query.len()), (AuditEvent::TEXT, AuditEvent::TEXT));
}
