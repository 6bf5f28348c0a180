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
