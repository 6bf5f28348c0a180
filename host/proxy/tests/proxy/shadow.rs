//! Shadows: candidates see copies of what real clients send, and nobody sees them. Each test chooses
//! by request headers what version 1, in use, and version 2, the candidate, make of a request.

use crate::basic;
use crate::server::{Server, Setup};
use fixtures::{Connection, Reply, Upstream};
use host_proxy::{Place, Report, Shadow, ShadowSettings};
use std::sync::Arc;
use std::time::Duration;

const PLUGIN: &str = "versions";

fn settings() -> ShadowSettings {
    ShadowSettings { least: 1, ..ShadowSettings::default() }
}

/// A proxy without authentication, with version 1 at this place and version 2 as its shadow.
struct Pair {
    upstream: Upstream,
    server: Server,
    shadow: Arc<Shadow>,
}

impl Pair {
    fn new() -> Self {
        Self::of(Place::Pre, "", settings())
    }

    fn of(place: Place, part: &str, settings: ShadowSettings) -> Self {
        let mut setup = Setup::new();
        setup.parts.credentials = None;
        let stage = setup.load(PLUGIN, &format!("\"1 {part}\""), place);
        match place {
            Place::Pre => setup.parts.pre.push(stage),
            Place::Post => setup.parts.post.push(stage),
            Place::Authenticator => setup.parts.authenticator = Some(stage),
            Place::ReverseProxy => setup.parts.reverse_proxy = Some(stage),
            Place::ErrorPage => setup.parts.error_page = Some(stage),
        }
        let shadow = setup.shadow(PLUGIN, &format!("\"2 {part}\""), "", settings).unwrap();
        assert_eq!(shadow.place(), place);
        let upstream = Upstream::echo();
        Self { server: setup.start(&upstream), upstream, shadow }
    }

    /// Asks version 1 and version 2 for something.
    fn ask(&self, one: &str, two: &str) -> Reply {
        self.ask_with(one, two, "")
    }

    fn ask_with(&self, one: &str, two: &str, body: &str) -> Reply {
        let mut connection = Connection::open(self.server.address);
        let length = body.len();
        connection.send(format!(
            "GET /path?query HTTP/1.1\r\nHost: x\r\nx-do-1: {one}\r\nx-do-2: {two}\r\n\
             x-url: {}\r\nContent-Length: {length}\r\n\r\n{body}",
            self.upstream.url()
        ));
        connection.read()
    }

    fn report(&self) -> Report {
        self.server.report(&self.shadow)
    }

    /// What differs when the two do this with one request, of which nobody but the first is seen.
    fn differs(&self, one: &str, two: &str) -> Vec<String> {
        let before = self.report();
        self.ask(one, two);
        let after = self.report();
        let compared = after.requests - before.requests;
        assert_eq!(compared, 1, "{one}, {two}: {after:?}");
        match after.differed - before.differed {
            0 => Vec::new(),
            _ => after.differences[0].what.clone(),
        }
    }
}

#[test]
fn what_differs_is_named_with_both_sides() {
    let pair = Pair::new();
    for (one, two, what) in [
        ("", "", &[][..]),
        ("header", "header", &["header x-version: \"1\" / \"2\""]),
        ("", "header", &["header x-version: none / \"2\""]),
        ("header", "", &["header x-version: \"1\" / none"]),
        ("cookie", "cookie", &["header cookie: (not shown) / (not shown)"]),
        ("case", "order", &[]),
        ("case", "", &["header x-one: \"1\" / none", "header x-two: \"2\" / none"]),
        ("", "method", &["method: GET / PUT"]),
        ("", "target", &["path: \"/path\" / \"/elsewhere\"", "query: it differs (not shown)"]),
        ("value", "value", &["value versions.own: \"1\" / \"2\""]),
        ("", "respond", &["decision: goes on / answers 403"]),
        ("respond", "", &["decision: answers 403 / goes on"]),
        ("respond", "respond", &[]),
        ("respond", "answer", &["status: 403 / 200", "body: 3 bytes / 7 bytes"]),
        ("answer", "answer", &["body: 7 bytes / 7 bytes, not the same"]),
        ("", "body", &["body: 0 bytes / 1 bytes"]),
        ("", "fail", &["error: goes on / fails"]),
        ("fail", "fail", &[]),
        ("fail", "", &["decision: fails / goes on"]),
        ("", "panic", &["panic: goes on / panics"]),
        ("panic", "panic", &["panic: panics / panics"]),
        ("", "wait", &[]),
        ("response", "response", &["header x-version: \"1\" / \"2\""]),
        ("", "status", &["status: 200 / 418"]),
        ("slot", "slot", &[]),
        ("", "fail-late", &["error: goes on / fails"]),
        ("replace", "replace", &["body: 14 bytes / 14 bytes, not the same"]),
    ] {
        assert_eq!(pair.differs(one, two), what, "{one:?} and {two:?}");
    }
    let report = pair.report();
    assert_eq!(report.what[0], ("body".to_owned(), 4), "{:?}", report.what);
    let last = &report.differences[0];
    assert_eq!((last.method.as_str(), last.path.as_str()), ("GET", "/path"));
    assert_eq!((report.skipped, report.not_comparable), (0, 0));
}

/// Waits for something that the proxy will have done soon.
fn until(done: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "it does not happen");
        std::thread::yield_now();
    }
}

#[test]
fn clients_never_see_a_candidate() {
    let settings = ShadowSettings { deadline: Duration::from_millis(20), ..settings() };
    let pair = Pair::of(Place::Pre, "", settings);
    let without = |reply: &Reply| {
        let sent = String::from_utf8_lossy(&reply.body).to_lowercase();
        let lines = sent.lines().filter(|it| !it.starts_with("x-do-")).map(str::to_owned);
        (reply.status, lines.collect::<Vec<_>>())
    };
    let alone = without(&pair.ask("header", ""));
    for wish in [
        "panic",
        "fail",
        "respond",
        "header",
        "method",
        "target",
        "body",
        "response",
        "status",
        "replace",
        "fail-late",
        "hang",
        "wait",
    ] {
        assert_eq!(without(&pair.ask("header", wish)), alone, "{wish}");
    }
    pair.report();
    // It loops on the thread that it was given, and on no other.
    for number in 0..100 {
        assert_eq!(without(&pair.ask("header", "block")), alone, "{number}");
    }
    until(|| pair.shadow.report().verdict.is_err_and(|why| why.contains("has not come back")));
    assert!(pair.shadow.report().skipped >= 100 - 64, "{:?}", pair.shadow.report());
    assert_eq!(pair.upstream.requests().len(), 114);
}

#[test]
fn one_that_does_not_decide_in_time_differs() {
    let settings = ShadowSettings { deadline: Duration::from_millis(20), ..settings() };
    let pair = Pair::of(Place::Pre, "", settings);
    assert_eq!(pair.differs("", "hang"), ["deadline: no decision within 20ms"]);
    assert_eq!(pair.differs("", ""), [""; 0], "and goes on");
}

#[test]
fn requests_whose_body_one_of_the_two_has_read_are_not_compared() {
    let pair = Pair::new();
    assert_eq!(pair.differs("read", "read"), [""; 0], "there is none");
    for (one, two) in [("", "read"), ("read", "read"), ("", "wrap"), ("wrap", "wrap")] {
        let before = pair.report().not_comparable;
        assert_eq!(pair.ask_with(one, two, "a body").status, 200);
        assert_eq!(pair.report().not_comparable, before + 1, "{one}, {two}");
    }
    assert_eq!(pair.report().differed, 0, "{:?}", pair.report());
    // What is known of one request in five says too little.
    let why = "it was compared on 1 requests only; 4 more had bodies that stream or are large, and say nothing";
    assert_eq!(pair.report().verdict.unwrap_err(), why);
    // Unless there is a difference that needs no body.
    pair.ask_with("read", "", "a body");
    assert_eq!(pair.report().differences[0].what, ["header x-length: \"6\" / none"]);
    let requests = pair.upstream.requests();
    assert!(requests[1..].iter().all(|request| request.body == b"a body"), "it is left alone");
    // Without a body it agrees.
    (0..10).for_each(|_| drop(pair.ask("", "")));
    let report = pair.report();
    assert!(!report.verdict.unwrap_err().contains("only"), "enough of them were compared");
}

#[test]
fn what_a_candidate_asks_of_the_host_has_no_effect_until_it_is_promoted() {
    let mut pair = Pair::new();
    for number in 1..=3 {
        pair.ask("count", "count");
        pair.report();
        let counted = format!("{number} {number}");
        assert_eq!(pair.upstream.last().header("x-count"), Some(&*counted));
    }
    let asked = pair.upstream.requests().len();
    assert_eq!(pair.differs("", "post"), ["error: goes on / fails"]);
    assert_eq!(pair.upstream.requests().len(), asked + 1, "only the client's own");
    assert_eq!(pair.differs("", "get"), ["header x-fetched: none / \"200\""]);
    assert_eq!(pair.upstream.requests().len(), asked + 3, "to read is no effect");
    for wish in ["emit", "metric"] {
        assert_eq!(pair.differs("", wish), [""; 0]);
    }
    assert_eq!(pair.report().withheld, 2, "a request and an event");
    pair.server.shows("versions_calls_total{plugin=\"versions\"} 0.0");

    pair.server.promote(&pair.shadow.clone(), true).unwrap();
    pair.ask("", "count");
    assert_eq!(pair.upstream.last().header("x-count"), Some("4 4"), "where the other left off");
    pair.ask("", "metric");
    pair.server.shows("versions_calls_total{plugin=\"versions\"} 1.0");
    pair.ask("", "post");
    assert_eq!(pair.upstream.last().header("x-fetched"), Some("200"));
    assert_eq!(pair.report().withheld, 2);
}

#[test]
fn one_that_agrees_is_promoted_and_one_that_differs_is_not() {
    let settings = ShadowSettings { least: 10, limit: 0.2, ..settings() };
    let mut pair = Pair::of(Place::Post, "", settings);
    let shadow = pair.shadow.clone();
    for _ in 0..5 {
        pair.ask("", "");
    }
    pair.report();
    let why = pair.server.promote(&shadow, false).unwrap_err();
    assert!(why.contains("it was compared on 5 requests so far, and 10 are asked"), "{why}");
    for _ in 0..5 {
        pair.ask("", "header");
    }
    pair.report();
    let why = pair.server.promote(&shadow, false).unwrap_err();
    for part in [
        "versions is not promoted: it differed on 5 of 10 requests (50 %), and 20 % are allowed",
        "what differed: header x-version (5)",
        "\n  GET /path: header x-version: none / \"2\"",
    ] {
        assert!(why.contains(part), "{part} is not in {why}");
    }
    pair.ask("", "header");
    assert_eq!(pair.upstream.last().header("x-version"), None, "nothing has changed");
    for _ in 0..20 {
        pair.ask("", "");
    }
    assert!(pair.report().verdict.is_ok(), "6 of 31 is below a fifth");
    pair.server.promote(&shadow, false).unwrap();
    pair.ask("", "header");
    assert_eq!(pair.upstream.last().header("x-version"), Some("2"));
    pair.ask("header", "");
    assert_eq!(pair.upstream.last().header("x-version"), None, "version 1 is gone");
    assert_eq!(pair.report().requests, 31, "it is no shadow any more");
}

#[test]
fn authenticators_are_compared_by_whom_they_let_in() {
    let pair = Pair::of(Place::Authenticator, "authenticator", settings());
    for (one, two, what) in [
        ("", "", &[][..]),
        ("", "reject", &["decision: goes on / answers 403"]),
        ("reject", "reject", &[]),
        ("", "abstain", &["decision: goes on / asks for Versioned"]),
        ("abstain", "abstain", &[]),
        ("", "other", &["identity: \"anyone\" / \"somebody else\""]),
        ("", "panic", &["panic: goes on / panics"]),
    ] {
        assert_eq!(pair.differs(one, two), what, "{one:?} and {two:?}");
    }
    assert_eq!(pair.ask("", "reject").status, 200);
    assert_eq!(pair.ask("abstain", "").status, 401);
}

#[test]
fn a_patch_for_a_point_without_one_is_compared_with_the_built_in() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    setup.prefix = "/prefix".to_owned();
    let rewrite = setup.shadow("reverse-proxy-patch", "", "", settings()).unwrap();
    let auth = setup.shadow(PLUGIN, "\"2 authenticator\"", "", settings()).unwrap();
    let page = setup.shadow(PLUGIN, "\"2 error_page\"", "", settings()).unwrap();
    let mut server = setup.start(&upstream);
    server.get("/prefix/get", &[basic("test:secret")]);
    server.get("/prefix/get", &[basic("test:wrong")]);
    server.get("/prefix/get", &[]);
    let report = server.report(&rewrite);
    assert_eq!((report.requests, report.differed), (1, 1), "two did not come so far");
    assert_eq!(report.differences[0].what, ["path: \"/prefix/get\" / \"/get\""]);
    let report = server.report(&auth);
    let what: Vec<_> = report.differences.iter().flat_map(|it| &it.what).collect();
    assert_eq!(
        what,
        [
            "decision: asks for Basic realm=\"tenon\", charset=\"UTF-8\" / goes on",
            "decision: answers 401 / goes on",
            "identity: \"test\" / \"anyone\"",
        ]
    );
    let report = server.report(&page);
    assert_eq!((report.requests, report.differed), (1, 1), "{report:?}");
    assert_eq!(report.differences[0].what, ["body: 17 bytes / 13 bytes"]);

    server.promote(&rewrite, true).unwrap();
    assert_eq!(server.get("/prefix/get", &[basic("test:secret")]).status, 200);
    assert_eq!(upstream.last().target, "/get");
}

#[test]
fn reverse_proxies_and_error_pages_in_versions() {
    let pair = Pair::of(Place::ReverseProxy, "reverse_proxy", settings());
    assert_eq!(pair.differs("", "target").len(), 2);
    assert_eq!(pair.differs("target", "target"), [""; 0]);
    assert_eq!(pair.differs("route", ""), ["header x-route: \"/\" / none"]);
    assert_eq!(pair.differs("", "answer"), ["decision: goes on / answers 200"]);
    assert_eq!(pair.differs("answer", "answer"), [""; 0]);

    let pair = Pair::of(Place::ErrorPage, "error_page", settings());
    pair.ask("", "words");
    assert_eq!(pair.report().requests, 0, "there was no failure");
    let Pair { upstream, server, shadow } = pair;
    drop(upstream); // nothing listens there any more
    let pair = Pair { upstream: Upstream::echo(), server, shadow };
    assert_eq!(pair.differs("", "words"), ["body: 12 bytes / 13 bytes"]);
    assert_eq!(pair.differs("words", "words"), [""; 0]);
}

#[test]
fn a_plugin_where_there_is_none_is_compared_with_nothing() {
    for (target, place) in [("pre", Place::Pre), ("post", Place::Post)] {
        let upstream = Upstream::echo();
        let mut setup = Setup::new();
        let shadow = setup.shadow(PLUGIN, "\"2\"", target, settings()).unwrap();
        assert_eq!(shadow.place(), place);
        let mut server = setup.start(&upstream);
        let ask = |server: &Server, wish: &str| {
            let wish = ("x-do-2", wish.to_owned());
            server.get("/", &[basic("test:secret"), wish]).header("x-version").map(str::to_owned)
        };
        assert_eq!(ask(&server, ""), None);
        assert_eq!(ask(&server, "response"), None);
        let report = server.report(&shadow);
        assert_eq!((report.requests, report.differed), (2, 1), "{report:?}");
        assert_eq!(report.differences[0].what, ["header x-version: none / \"2\""]);
        server.promote(&shadow, true).unwrap();
        assert_eq!(ask(&server, "response").as_deref(), Some("2"));
    }
}

#[test]
fn a_sample_of_the_requests_is_enough() {
    let pair = Pair::of(Place::Pre, "", ShadowSettings { sample: 0.25, ..settings() });
    for _ in 0..100 {
        pair.ask("", "");
    }
    let seen = pair.report().requests;
    assert!((10..=40).contains(&seen), "{seen} of 100");
}

#[test]
fn values_that_always_differ_can_be_ignored() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    setup.parts.credentials = None;
    let stage = setup.load("pre-plugin", "", Place::Pre);
    setup.parts.pre.push(stage);
    let strict = setup.shadow("pre-plugin", "", "", settings()).unwrap();
    let ignored = vec!["x-trace-id".parse().unwrap()];
    let lenient =
        setup.shadow("pre-plugin", "", "", ShadowSettings { ignored, ..settings() }).unwrap();
    let server = setup.start(&upstream);
    server.get("/", &[]);
    assert_eq!(server.report(&strict).what, [("header x-trace-id".to_owned(), 1)]);
    let report = server.report(&lenient);
    assert_eq!((report.requests, report.differed), (1, 0));
}

#[test]
fn what_is_not_clear_is_said_with_what_to_write() {
    let mut setup = Setup::new();
    let refused = |setup: &mut Setup, package: &str, config: &str, target: &str| {
        setup.shadow(package, config, target, settings()).err().unwrap()
    };
    let why = refused(&mut setup, PLUGIN, "\"2\"", "");
    assert!(why.contains("say where it would stand: --shadow pre="), "{why}");
    assert!(why.contains(", or --shadow post="), "{why}");
    for package in ["pre-plugin", "noop-plugin"] {
        let stage = setup.load(package, "", Place::Pre);
        setup.parts.pre.push(stage);
    }
    let why = refused(&mut setup, PLUGIN, "\"2\"", "pre");
    assert!(why.contains("none of the pre plugins is called versions"), "{why}");
    assert!(why.contains("pre:pre-plugin=") && why.contains("or pre:nothing="), "{why}");
    let why = refused(&mut setup, PLUGIN, "\"2\"", "pre:nobody");
    assert!(why.contains("no pre plugin nobody; there is pre-plugin, noop-plugin"), "{why}");
    let why = refused(&mut setup, PLUGIN, "\"2\"", "reverse_proxy");
    assert!(why.contains("it cannot stand at reverse_proxy; it has middleware versions"), "{why}");
    setup.shadow(PLUGIN, "\"2\"", "pre:noop-plugin", settings()).unwrap();
    let stage = setup.load("noop-plugin", "", Place::Pre);
    setup.parts.pre.push(stage);
    let why = refused(&mut setup, PLUGIN, "\"2\"", "pre:noop-plugin");
    assert!(why.contains("2 of the pre plugins are called noop-plugin"), "{why}");
}
