//! What happens when a plugin panics, fails, hangs or takes its time: as its policy says, and to
//! nobody else.

use crate::assert_ends;
use fixtures::{Connection, Host, Launch, Reply, Upstream, get, library};
use std::fs;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A host with a plugin that misbehaves on demand, under this policy.
pub(crate) struct Faulty {
    pub(crate) host: Host,
    pub(crate) upstream: Upstream,
    _folder: TempDir,
}

/// Runs a host with this file, in whose text `PLUGIN` is the plugin's path, and in `PATCHES` it is
/// the patch of all points.
fn launch(upstream: &Upstream, file: &str) -> (Launch, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let plugin = library("misbehaves");
    let patches = folder.path().join("all");
    fs::create_dir(&patches).unwrap();
    for point in ["reverse_proxy", "authenticator", "error_page"] {
        if file.contains(&format!("[patches.{point}]")) {
            fs::copy(&plugin, patches.join(format!("{point}.so"))).unwrap();
        }
    }
    let path = folder.path().join("host.toml");
    fs::write(&path, file.replace("PLUGIN", &plugin.display().to_string())).unwrap();
    let args = [
        "--config".to_owned(),
        path.display().to_string(),
        format!("--target={}", upstream.url()),
        format!("--patches={}", patches.display()),
        "--admin=127.0.0.1:0".to_owned(),
    ];
    (Launch::new(&args), folder)
}

impl Faulty {
    /// A PRE plugin with these keys.
    pub(crate) fn pre(keys: &str) -> Self {
        Self::file(&format!("[[pre-plugin]]\npath = 'PLUGIN'\n{keys}"))
    }

    pub(crate) fn file(file: &str) -> Self {
        let upstream = Upstream::echo();
        let (launch, folder) = launch(&upstream, file);
        Self { host: launch.start(), upstream, _folder: folder }
    }

    /// A request that makes the plugin misbehave in this way.
    pub(crate) fn ask(&self, way: &str) -> Reply {
        get(self.host.address(), "/", &[("x-misbehave", way)])
    }

    pub(crate) fn status(&self, way: &str) -> u16 {
        self.ask(way).status
    }

    /// The value of a metric of the plugin.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> u64 {
        let line = self.host.wait_for_log("metrics are at http://");
        let (_, rest) = line.split_once("http://").unwrap();
        let admin = rest.split('/').next().unwrap().parse().unwrap();
        let metrics = get(admin, "/metrics", &[]);
        let start = format!("tenon_plugin_{name}{{plugin=\"misbehaves\",{labels}}} ");
        let value = metrics.text().lines().find_map(|line| line.strip_prefix(&start));
        value.unwrap_or_else(|| panic!("no {start} in\n{}", metrics.text())).parse().unwrap()
    }
}

const PRE: &str = "place=\"pre\"";

#[test]
fn under_fail_each_way_to_fail_is_the_end_of_its_request_only() {
    let faulty = Faulty::pre("deadline = '100ms'");
    for (way, status) in [
        ("panic", 500),
        ("error", 500),
        ("bad-status", 500),
        ("bad-header", 500),
        ("panic-with-body", 500),
        ("hang", 504),
        ("response-panic", 500),
        ("response-error", 500),
        ("response-bad-status", 500),
        ("response-hang", 504),
    ] {
        assert_eq!(faulty.status(way), status, "{way}");
        assert_eq!(faulty.status(""), 200, "after {way}");
    }
    faulty.host.wait_for_log("misbehaves has not ended its step within its deadline, 100ms");
    assert_eq!(faulty.metric("panics_total", PRE), 3);
    assert_eq!(faulty.metric("overdue_total", PRE), 2);
    assert_eq!(faulty.metric("decisions_total", &format!("{PRE},decision=\"fail\"")), 10);
}

#[test]
fn under_bypass_a_request_goes_on_without_an_answer_of_the_plugin() {
    let faulty = Faulty::pre("on-panic = 'bypass'\ndeadline = '100ms'");
    for way in ["panic", "hang"] {
        let reply = faulty.ask(way);
        assert_eq!((reply.status, reply.header("x-misbehaves")), (200, None), "{way}");
        // What it had done before stays done.
        assert_eq!(faulty.upstream.last().header("x-misbehaves"), Some("seen"), "{way}");
    }
    faulty.host.wait_for_log("misbehaves panicked and is bypassed: on demand");
    faulty.host.wait_for_log("misbehaves failed and is bypassed: it has not ended its step");
    for way in ["response-panic", "response-hang"] {
        let reply = faulty.ask(way);
        assert_eq!((reply.status, reply.complete), (200, true), "{way}");
        assert!(reply.text().starts_with("GET / "), "the body is the upstream's: {way}");
    }
    let decisions = |decision: &str| {
        faulty.metric("decisions_total", &format!("{PRE},decision=\"{decision}\""))
    };
    assert_eq!((decisions("bypass"), decisions("fail")), (4, 0));
    // An error is an answer, and so is one that makes no sense.
    for way in ["error", "bad-status", "bad-header"] {
        assert_eq!(faulty.status(way), 500, "{way}");
    }
    assert_eq!((decisions("bypass"), decisions("fail")), (4, 3));
}

/// To go on would be to send another request, or another answer.
#[test]
fn a_body_that_went_with_a_panic_is_not_replaced_by_nothing() {
    let faulty = Faulty::pre("on-panic = 'bypass'");
    let mut connection = Connection::open(faulty.host.address());
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n";
    connection.send(format!("{head}X-Misbehave: panic-with-body\r\n\r\nbody"));
    assert_eq!(connection.read().status, 500);
    assert!(faulty.upstream.requests().is_empty());
}

#[test]
fn a_patch_has_a_policy_too() {
    let keys = "config = { register = 'reverse_proxy' }\non-panic = 'bypass'\ndeadline = '100ms'";
    let faulty = Faulty::file(&format!("[patches.reverse_proxy]\n{keys}"));
    for (way, status) in [("panic", 200), ("hang", 200), ("error", 500), ("", 200)] {
        assert_eq!(faulty.status(way), status, "{way}");
    }
    let faulty = Faulty::file(
        "[patches.authenticator]\nconfig = { register = 'authenticator' }\ndeadline = '100ms'",
    );
    for (way, status) in [("panic", 500), ("hang", 504), ("error", 500), ("wait", 504), ("", 401)] {
        assert_eq!(faulty.status(way), status, "{way}");
    }
    assert!(faulty.upstream.requests().is_empty());
}

#[test]
fn a_deadline_is_no_wait() {
    let faulty = Faulty::pre("deadline = '60s'");
    let started = Instant::now();
    assert_eq!(faulty.status("wait"), 200);
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(30), "{took:?}");
    assert_eq!(faulty.metric("deferred_total", PRE), 1);
}

#[test]
fn a_slow_plugin_is_named_in_the_log_and_not_in_every_line() {
    let faulty = Faulty::pre("slow = '50ms'");
    assert_eq!(faulty.status(""), 200);
    assert_eq!(faulty.metric("slow_total", PRE), 0);
    for _ in 0..3 {
        assert_eq!(faulty.status("block"), 200);
    }
    let line = faulty.host.wait_for_log("is slow");
    assert!(line.contains("misbehaves is slow: it took 2") && line.contains("WARN"), "{line}");
    assert_eq!(faulty.metric("slow_total", PRE), 3);
    assert_eq!(faulty.host.log().matches("is slow").count(), 1, "{}", faulty.host.log());
}

/// It would never be seen if the line came with its end.
#[test]
fn one_that_hangs_is_named_while_it_does() {
    let faulty = Faulty::pre("slow = '50ms'");
    let mut connection = Connection::open(faulty.host.address());
    connection.send("GET / HTTP/1.1\r\nHost: a\r\nX-Misbehave: hang\r\n\r\n");
    faulty.host.wait_for_log("misbehaves is slow: it has been waiting for 50ms in one step");
    assert_eq!(faulty.metric("slow_total", PRE), 1);
    assert_eq!(faulty.status(""), 200);
}

#[test]
fn flags_are_for_all_plugins() {
    let upstream = Upstream::echo();
    let plugin = library("misbehaves").display().to_string();
    let target = format!("--target={}", upstream.url());
    let flags = ["--plugin-deadline=100ms", "--plugin-slow=50ms", "--post-plugin", &plugin];
    let host = Host::start(&[&[target.as_str()], &flags[..]].concat());
    assert_eq!(get(host.address(), "/", &[("x-misbehave", "hang")]).status, 504);
    host.wait_for_log("misbehaves is slow");
}

#[test]
fn a_policy_that_makes_no_sense_is_refused() {
    let upstream = Upstream::echo();
    for (file, words) in [
        ("[[pre-plugin]]\npath = 'PLUGIN'\ndeadline = '0s'", "deadline cannot be 0"),
        ("[[pre-plugin]]\npath = 'PLUGIN'\nbreaker = { failures = 0 }", "failures must be from 1"),
        ("[patches.authenticator]\non-panic = 'bypass'", "would let everybody in"),
        ("plugin-slow = '0s'", "--plugin-slow cannot be 0"),
        ("[[pre-plugin]]\npath = 'PLUGIN'\non-panic = 'never'", "unknown variant `never`"),
    ] {
        let (launch, _folder) = launch(&upstream, file);
        assert_ends(&launch.fails(), 2, &[words]);
    }
    let file = "[[pre-plugin]]\npath = 'PLUGIN'\non-panic = 'bypass'\n\
                config = { register = 'authenticator' }";
    let (launch, _folder) = launch(&upstream, file);
    assert_ends(&launch.fails(), 1, &["registers an authenticator, which cannot be bypassed"]);
}
