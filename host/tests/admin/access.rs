//! Who may ask, and from where.

use crate::{Served, TOKEN, assert_refused};
use fixtures::{Reply, exchange, get};
use host::admin::Access;

const JSON: (&str, &str) = ("Content-Type", "application/json");
const OURS: (&str, &str) = ("X-Tenon-Admin", "1");

/// Every route that shows or changes something.
const ROUTES: [&str; 10] = [
    "GET /api/status",
    "GET /api/locks",
    "GET /api/openapi.json",
    "GET /metrics",
    "POST /api/reload",
    "POST /api/rollback",
    "POST /api/restart",
    "POST /api/promote",
    "POST /api/plugins/1/disable",
    "DELETE /api/locks/bob",
];

#[test]
fn nothing_is_shown_or_done_without_the_token() {
    let served = Served::closed();
    let bearer = format!("Bearer {TOKEN}");
    let wrong = format!("Bearer {}0", &TOKEN[1..]);
    for line in ROUTES {
        let reply = served.tell(line, "");
        assert_refused(&reply, 401, "Authorization: Bearer");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"tenon\""));
        for wrong in [&wrong, "Bearer", "Basic dGVzdDp0ZXN0", TOKEN, &bearer[..bearer.len() - 1]] {
            let headers = [JSON, OURS, ("Authorization", wrong)];
            let reply = served.send(line, &headers, "");
            assert_eq!(reply.status, 401, "{line} {wrong}");
            assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer "));
        }
    }
    assert_eq!(served.operator.told(), []);
    for line in ROUTES {
        let reply = served.send(line, &[JSON, ("Authorization", &bearer)], "");
        assert_eq!(reply.status, 200, "{line}");
    }
    assert_eq!(served.operator.told().len(), 6);
}

#[test]
fn probes_and_the_files_of_the_page_need_no_token_and_say_nothing() {
    let served = Served::closed();
    for path in ["/", "/page.css", "/page.js", "/healthz", "/readyz"] {
        let reply = served.get(path);
        assert_eq!(reply.status, 200, "{path}");
        for secret in [TOKEN, "pre-plugin", "tenon-lock-bob"] {
            assert!(!reply.text().contains(secret), "{path}");
        }
    }
}

/// A name that anybody can make resolve to this machine is that of a page that wants to be of the same
/// origin.
#[test]
fn names_of_others_are_not_answered_to() {
    let access = Access::new(None, vec!["proxy.example".to_owned()]).unwrap();
    let served = Served::start(access);
    let port = served.address.port();
    let send = |line: &str, host: &str| served.send(line, &[("Host", host), JSON, OURS], "");
    for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1.evil.example", "x"] {
        for line in ROUTES.iter().chain(&["GET /", "GET /page.js"]) {
            assert_refused(&send(line, host), 421, "--admin-host");
        }
    }
    assert_eq!(served.operator.told(), []);
    for host in
        ["127.0.0.1", "[::1]:9901", "localhost", "LOCALHOST:80", "Proxy.example:9901", "10.1.2.3"]
    {
        assert_eq!(send("GET /api/status", host).status, 200, "{host}");
    }
    // A probe may come under any name: it says nothing.
    assert_eq!(send("GET /readyz", "pod.cluster.local").status, 200);

    // The target goes before the header, as in a request to a proxy.
    let absolute = "GET http://evil.example/api/status";
    assert_refused(&send(absolute, "127.0.0.1"), 421, "evil.example");
    for host in ["", "a b", "user@127.0.0.1", "127.0.0.1/x"] {
        assert_refused(&send("GET /api/status", host), 400, "send one Host");
    }
    let none = exchange(served.address, "GET /api/status HTTP/1.1\r\n\r\n");
    assert_refused(&none, 400, "send one Host");
    let two = get(served.address, "/api/status", &[("Host", "127.0.0.1")]);
    assert_refused(&two, 400, "send one Host");
}

/// What a browser sends for a form, a `fetch` without permission, and a link of another page.
#[test]
fn no_page_of_others_changes_anything() {
    for served in [Served::open(), Served::closed()] {
        let bearer = format!("Bearer {TOKEN}");
        let ours = format!("http://{}", served.address);
        let refused = |headers: &[(&str, &str)], line: &str| -> Reply {
            let headers = [headers, &[("Authorization", &bearer)]].concat();
            let reply = served.send(line, &headers, "{}");
            assert!([403, 415].contains(&reply.status), "{line} {headers:?}: {reply:?}");
            reply
        };
        for line in ROUTES.iter().filter(|line| !line.starts_with("GET")) {
            // Even if it could send the headers.
            for origin in ["http://evil.example", "null", "https://127.0.0.1", "http://localhost"] {
                let reply = refused(&[JSON, OURS, ("Origin", origin)], line);
                assert_refused(&reply, 403, "another origin");
            }
            for site in ["cross-site", "same-site", "none"] {
                let reply =
                    refused(&[JSON, OURS, ("Sec-Fetch-Site", site), ("Origin", &ours)], line);
                assert_refused(&reply, 403, "another site");
            }
            let form = ("Content-Type", "application/x-www-form-urlencoded");
            let plain = ("Content-Type", "text/plain");
            for kind in [form, plain] {
                refused(&[kind, ("Origin", "http://evil.example")], line);
                refused(&[kind, OURS], line);
            }
        }
        assert_eq!(served.operator.told(), []);
        let own = [
            JSON,
            OURS,
            ("Origin", &ours),
            ("Sec-Fetch-Site", "same-origin"),
            ("Authorization", &bearer),
        ];
        assert_eq!(served.send("POST /api/reload", &own, "{}").status, 200);
    }
    let served = Served::open();
    let reply = served.send("POST /api/reload", &[JSON], "{}");
    assert_refused(&reply, 403, "X-Tenon-Admin: 1");
    assert_refused(&served.send("DELETE /api/locks/bob", &[], ""), 403, "X-Tenon-Admin: 1");
}

#[test]
fn answers_are_for_this_origin_alone() {
    let served = Served::open();
    let origin = ("Origin", "http://evil.example");
    for line in ROUTES.iter().chain(&["GET /", "GET /nothing", "OPTIONS /api/reload"]) {
        let reply =
            served.send(line, &[origin, ("Access-Control-Request-Method", "POST"), JSON, OURS], "");
        for (name, _) in &reply.headers {
            assert!(!name.to_lowercase().starts_with("access-control-"), "{line}: {name}");
        }
        assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-origin"), "{line}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("x-frame-options"), Some("DENY"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("set-cookie"), None);
    }
}
