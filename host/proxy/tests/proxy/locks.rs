//! A locked user is turned away: before the password is looked at, whoever authenticates, and only
//! as long as the lock is there.

use crate::server::Setup;
use crate::{basic, bearer};
use fixtures::Upstream;
use host_proxy::Place;

const MESSAGE: &str = "Suspicious login activity, see <https://example.com>";

#[test]
fn the_answer_to_a_locked_user_is_no_oracle_for_the_password() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let locks = setup.locks();
    let server = setup.start(&upstream);
    locks.lock("test", MESSAGE);
    let right = server.get("/", &[basic("test:secret")]);
    let wrong = server.get("/", &[basic("test:wrong")]);
    for reply in [&right, &wrong] {
        assert_eq!((reply.status, reply.text()), (403, &*format!("403 {MESSAGE}\n")));
        assert_eq!(reply.header("www-authenticate"), None);
    }
    let head = |reply: &fixtures::Reply| {
        reply.headers.iter().filter(|(name, _)| name != "date").cloned().collect::<Vec<_>>()
    };
    assert_eq!(head(&right), head(&wrong));
    assert_eq!(upstream.requests().len(), 0);
    server.shows("tenon_locked_requests_total 2");
}

#[test]
fn a_lock_holds_its_user_and_nobody_else() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let locks = setup.locks();
    let server = setup.start(&upstream);
    for other in ["Test", "tes", "testx", "test:secret", "secret", ""] {
        locks.lock(other, MESSAGE);
    }
    assert_eq!(server.get("/", &[basic("test:secret")]).status, 200);
    assert_eq!(server.get("/", &[basic("test:wrong")]).status, 401);
    assert_eq!(server.get("/", &[]).status, 401, "is only asked for credentials");
    // A user need not exist to be locked.
    assert_eq!(server.get("/", &[basic("testx:secret")]).status, 403);
    assert_eq!(server.get("/", &[basic("nobody:secret")]).status, 401);
    server.shows("tenon_locked_requests_total 1");
}

#[test]
fn a_lock_is_looked_for_with_each_request_of_a_connection() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let locks = setup.locks();
    let server = setup.start(&upstream);
    let mut browser = server.connect();
    let mut status = || browser.get("/", &[basic("test:secret")]).status;
    assert_eq!(status(), 200);
    locks.lock("test", MESSAGE);
    assert_eq!((status(), status()), (403, 403));
    locks.lift("test");
    assert_eq!(status(), 200);
}

#[test]
fn a_user_of_a_pre_plugin_is_locked_too() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let locks = setup.locks();
    setup.parts.pre.push(setup.jwt());
    let server = setup.start(&upstream);
    locks.lock("alice", MESSAGE);
    let reply = server.get("/", &[bearer()]);
    assert_eq!((reply.status, reply.text()), (403, &*format!("403 {MESSAGE}\n")));
    assert_eq!(server.get("/", &[basic("test:secret")]).status, 200);
    locks.lift("alice");
    locks.lock("test", MESSAGE);
    assert_eq!(server.get("/", &[bearer()]).status, 200);
    assert_eq!(server.get("/", &[basic("test:secret")]).status, 403);
}

#[test]
fn a_patched_authenticator_is_not_asked_for_the_password_of_a_locked_user() {
    // A vector of crypt_blowfish: the password is U*U.
    const USERS: &str = "a:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let locks = setup.locks();
    let users = setup.folder.path().join("users");
    std::fs::write(&users, USERS).unwrap();
    let config = serde_json::json!({ "users_file": users, "remember_seconds": 0 }).to_string();
    setup.parts.authenticator =
        Some(setup.load("authenticator-patch", &config, Place::Authenticator));
    let server = setup.start(&upstream);
    assert_eq!(server.get("/", &[basic("a:U*U")]).status, 200);
    assert_eq!(server.get("/", &[basic("a:wrong")]).status, 401);
    locks.lock("a", MESSAGE);
    for password in ["U*U", "wrong"] {
        let reply = server.get("/", &[basic(format!("a:{password}"))]);
        assert_eq!((reply.status, reply.text()), (403, &*format!("403 {MESSAGE}\n")));
    }
}

#[test]
fn a_patched_page_has_the_message() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let locks = setup.locks();
    setup.parts.error_page = Some(setup.load("error-page-patch", "", Place::ErrorPage));
    let server = setup.start(&upstream);
    locks.lock("test", MESSAGE);
    let accept = |kind: &str| ("Accept", kind.to_owned());
    let reply = server.get("/", &[basic("test:secret"), accept("application/json")]);
    let page: serde_json::Value = serde_json::from_str(reply.text()).unwrap();
    assert_eq!((reply.status, &page["title"]), (403, &MESSAGE.into()));
    let reply = server.get("/", &[basic("test:secret"), accept("text/html")]);
    assert!(reply.text().contains("activity, see &lt;https:"), "{}", reply.text());
}

#[test]
fn a_lock_without_a_message_and_users_that_are_no_text() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    let locks = setup.locks();
    let server = setup.start(&upstream);
    locks.lock("test", "");
    let reply = server.get("/", &[basic("test:secret")]);
    assert_eq!((reply.status, reply.text()), (403, "403 Forbidden\n"));
    locks.lock("a\u{fffd}", "b");
    let reply = server.get("/", &[basic(b"a\xff:p")]);
    assert_eq!((reply.status, reply.text()), (403, "403 b\n"), "as an event has shown it");
}

#[test]
fn without_authentication_nobody_is_locked() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    setup.locks().lock("test", MESSAGE);
    setup.parts.credentials = None;
    let server = setup.start(&upstream);
    assert_eq!(server.get("/", &[basic("test:secret")]).status, 200);
    assert!(upstream.last().header("authorization").is_some(), "it is the upstream's");
}
