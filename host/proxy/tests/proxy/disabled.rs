//! What an operator has disabled is not called; requests go on without it, and no door opens.

use crate::server::{Server, Setup};
use crate::{basic, bearer};
use fixtures::{Upstream, library};
use host_proxy::{Chain, OnPanic, Parts, Place, Policy, Stage, State};
use std::sync::Arc;

const WHY: &str = "by an operator";

/// A header.
fn header(name: &'static str, value: &str) -> (&'static str, String) {
    (name, value.to_owned())
}

fn seen(upstream: &Upstream) -> bool {
    upstream.last().header("x-misbehaves").is_some()
}

fn status(server: &Server, headers: &[(&str, String)]) -> u16 {
    server.get("/", headers).status
}

#[test]
fn a_middleware_is_passed_by_on_both_ways_until_it_is_enabled() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    setup.parts.credentials = None;
    let stage = setup.load("misbehaves", "", Place::Pre);
    setup.parts.pre.push(stage.clone());
    let server = setup.start(&upstream);
    let mut browser = server.connect();
    let mut is_called = || {
        let reply = browser.get("/", &[]);
        assert_eq!(reply.status, 200);
        let called = seen(&upstream);
        assert_eq!(reply.header("x-misbehaves").is_some(), called, "request and response");
        called
    };
    assert!(is_called());
    stage.disable(WHY).unwrap();
    assert!(!is_called());
    assert_eq!((stage.life.state(), &*stage.life.now().2), (State::Disabled, WHY));
    assert!(!is_called());
    server.shows("tenon_plugin_state{plugin=\"misbehaves\",place=\"pre\",state=\"disabled\"} 1");
    server.shows("tenon_plugin_not_called_total{plugin=\"misbehaves\",place=\"pre\"} 2");
    stage.enable().unwrap();
    assert!(is_called());
    let counts = stage.life.stats().read();
    assert_eq!((counts.calls(), counts.next, counts.not_called), (4, 4, 2));
    assert_eq!(stage.enable().unwrap_err(), "misbehaves is not disabled");
}

#[test]
fn only_what_is_in_use_and_no_built_in_part_can_be_disabled() {
    let setup = Setup::new();
    let stage = setup.load("misbehaves", "", Place::Post);
    assert_eq!(stage.disable(WHY).unwrap_err(), "misbehaves is ready, not in use");
    stage.activate();
    stage.disable(WHY).unwrap();
    stage.drain();
    assert_eq!(stage.enable().unwrap_err(), "misbehaves is draining, not in use");
    stage.activate(); // a rollback, say
    assert_eq!((stage.life.state(), &*stage.life.now().2), (State::Disabled, WHY));
    let chain = Chain::new(setup.parts, setup.metrics).unwrap();
    for stage in chain.stages() {
        let error = stage.disable(WHY).unwrap_err();
        assert!(error.ends_with(" is a part of the host: it stays"), "{error}");
    }
}

/// With a patch of this point, and whether there are credentials for the built-in authenticator.
fn patched(point: Place, credentials: bool) -> (Setup, Arc<Stage>) {
    let mut setup = Setup::new();
    let stage = setup.load("misbehaves", point.as_str(), point);
    let patch = Some(stage.clone());
    match point {
        Place::Authenticator => setup.parts.authenticator = patch,
        Place::ReverseProxy => setup.parts.reverse_proxy = patch,
        _ => setup.parts.error_page = patch,
    }
    if !credentials {
        setup.parts.credentials = None;
    }
    (setup, stage)
}

#[test]
fn in_the_place_of_a_patch_is_the_built_in() {
    let upstream = Upstream::echo();
    let (setup, stage) = patched(Place::ReverseProxy, false);
    let server = setup.start(&upstream);
    assert_eq!((status(&server, &[]), seen(&upstream)), (200, true));
    stage.disable(WHY).unwrap();
    assert_eq!((status(&server, &[]), seen(&upstream)), (200, false));

    let (setup, stage) = patched(Place::ErrorPage, true);
    let server = setup.start(&upstream);
    assert_eq!(server.get("/", &[]).text(), "a page of its own\n");
    stage.disable(WHY).unwrap();
    let reply = server.get("/", &[]);
    assert_eq!((reply.status, reply.text()), (401, "401 Unauthorized\n"));
}

#[test]
fn in_the_place_of_an_authenticator_are_the_credentials_of_the_built_in() {
    let upstream = Upstream::echo();
    let (setup, stage) = patched(Place::Authenticator, true);
    let server = setup.start(&upstream);
    let (named, right) = (header("x-user", "anyone"), basic("test:secret"));
    assert_eq!(status(&server, std::slice::from_ref(&named)), 200);
    assert_eq!(status(&server, std::slice::from_ref(&right)), 401, "the patch knows no passwords");
    stage.disable(WHY).unwrap();
    let reply = server.get("/", std::slice::from_ref(&named));
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"tenon\", charset=\"UTF-8\""));
    assert_eq!(status(&server, &[basic("test:wrong")]), 401);
    assert_eq!(status(&server, &[right]), 200);
    server.shows("tenon_plugin_decisions_total{plugin=\"basic\",place=\"authenticator\",decision=\"respond\"} 1");
    stage.enable().unwrap();
    assert_eq!(status(&server, &[named]), 200);
}

#[test]
fn a_disabled_authenticator_opens_no_door() {
    let upstream = Upstream::echo();
    let (setup, stage) = patched(Place::Authenticator, false);
    let server = setup.start(&upstream);
    stage.disable(WHY).unwrap();
    for headers in [vec![], vec![header("x-user", "anyone")], vec![basic("test:secret")]] {
        assert_eq!(status(&server, &headers), 503);
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn nor_does_one_of_a_pre_plugin() {
    let upstream = Upstream::echo();
    for (credentials, without) in [(true, 401), (false, 503)] {
        let mut setup = Setup::new();
        if !credentials {
            setup.parts.credentials = None;
        }
        let jwt = setup.jwt();
        setup.parts.pre.push(jwt.clone());
        let server = setup.start(&upstream);
        assert_eq!(status(&server, &[bearer()]), 200);
        jwt.disable(WHY).unwrap();
        let reply = server.get("/", &[bearer()]);
        assert_eq!(reply.status, without);
        let challenges = reply.values("www-authenticate");
        assert_eq!(challenges.len(), usize::from(credentials), "that of who is left");
        if credentials {
            assert_eq!(status(&server, &[basic("test:secret")]), 200);
        }
    }
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn an_authenticator_cannot_be_bypassed() {
    let bypass = Policy { on_panic: OnPanic::Bypass, ..Policy::default() };
    for place in [Place::Pre, Place::Authenticator] {
        let setup = Setup::new();
        let stage = setup.load_with("misbehaves", "authenticator", place, bypass);
        let mut parts = Parts::default();
        match place {
            Place::Pre => parts.pre.push(stage),
            _ => parts.authenticator = Some(stage),
        }
        let error = Chain::new(parts, setup.metrics).err().unwrap();
        let words = "it registers an authenticator, which cannot be bypassed";
        assert!(error.contains(words), "{error}");
        assert!(error.starts_with(&library("misbehaves").display().to_string()), "{error}");
    }
}
