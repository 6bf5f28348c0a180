//! The document of the API says what is served: every route, status and field, and no others.

use crate::schema::errors;
use crate::{Served, TOKEN};
use fixtures::Reply;
use host::operator::{Declined, Reason};
use host_proxy::Phase;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const METHODS: [&str; 6] = ["get", "put", "post", "delete", "options", "patch"];

struct Document {
    whole: Value,
    /// What has been seen of it, as in `post /api/reload 409`.
    seen: BTreeSet<String>,
}

impl Document {
    fn read(served: &Served) -> Self {
        let headers = [("Authorization", &*format!("Bearer {TOKEN}"))];
        let reply = served.send("GET /api/openapi.json", &headers, "");
        let whole = serde_json::from_slice(&reply.body).unwrap();
        let mut document = Self { whole, seen: BTreeSet::new() };
        document.check("get", "/api/openapi.json", &reply);
        document
    }

    /// All that it promises, as in `post /api/reload 409`.
    fn promised(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for (path, item) in self.whole["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(METHODS.contains(&&**method), "{path}: {method}");
                for status in operation["responses"].as_object().unwrap().keys() {
                    all.insert(format!("{method} {path} {status}"));
                }
            }
        }
        all
    }

    /// Checks an answer against what the document says of it.
    fn check(&mut self, method: &str, path: &str, reply: &Reply) {
        let what = format!("{method} {path} {}", reply.status);
        let operation = &self.whole["paths"][path][method];
        let response = self.resolve(&operation["responses"][&*reply.status.to_string()]);
        assert!(response.is_object(), "{what} is not in the document");
        for (name, header) in response["headers"].as_object().unwrap_or(&Map::new()) {
            assert_eq!(header["required"], true);
            assert!(reply.header(name).is_some(), "{what} has no {name}");
        }
        let content = response["content"].as_object().unwrap();
        let (kind, media) = content.iter().next().unwrap();
        assert_eq!((content.len(), reply.header("content-type")), (1, Some(&**kind)), "{what}");
        if kind == "application/json" {
            let instance = serde_json::from_slice(&reply.body).unwrap();
            self.validate(&media["schema"], &instance, &what);
        }
        self.seen.insert(what);
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.whole.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
            None => value,
        }
    }

    fn validate(&self, schema: &Value, instance: &Value, what: &str) {
        let errors = errors(&self.whole, schema, instance);
        assert_eq!(errors, Vec::<String>::new(), "{what}");
    }
}

/// Of each route every answer that the document has is brought about, and none that it has not.
#[test]
fn every_answer_is_in_the_document_and_the_other_way_round() {
    let open = Served::open();
    let closed = Served::closed();
    let mut document = Document::read(&closed);
    let paths = document.whole["paths"].clone();
    for (path, item) in paths.as_object().unwrap() {
        let real = path.replace("{id}", "1").replace("{name}", "bob");
        for (method, operation) in item.as_object().unwrap() {
            let line = format!("{} {real}", method.to_uppercase());
            let mut see = |reply: &Reply| document.check(method, path, reply);
            let changes = method != "get";
            let probe = path.ends_with('z');
            see(&open.tell(&line, if changes { "{}" } else { "" }));
            see(&open.tell(&format!("PATCH {real}"), ""));
            if path == "/readyz" {
                *open.operator.phase.lock().unwrap() = Phase::Draining;
                see(&open.get(&real));
            }
            if !probe {
                see(&open.send(&line, &[("Host", "evil.example")], ""));
                see(&open.send(&line, &[("Host", "")], ""));
            }
            let without_token = closed.send(&line, &[], "");
            see(&without_token);
            let needs_none = operation["security"] == json!([]);
            assert_eq!(without_token.status == 401, !needs_none, "{line}");
            if changes {
                see(&open.send(&line, &[("Content-Type", "application/json")], "{}"));
                see(&open.send(&line, &[("X-Tenon-Admin", "1")], "{}"));
                see(&open.tell(&line, &" ".repeat(5000)));
                for reason in [Reason::NotFound, Reason::Conflict, Reason::Failed] {
                    let message = "no".to_owned();
                    open.operator.answers(Err(Declined { reason, message }));
                    see(&open.tell(&line, "{}"));
                }
            }
        }
    }
    let missing: Vec<_> = document.promised().difference(&document.seen).cloned().collect();
    // That takes its time; it has a test of its own.
    let slow: Vec<_> = missing.iter().filter(|it| !it.ends_with(" 408")).collect();
    assert_eq!(slow, Vec::<&String>::new(), "promised, and not to be seen");
}

/// All fields are required and no others are allowed, so that an answer that fits has exactly those of
/// the document.
#[test]
fn the_schemas_leave_nothing_open() {
    let served = Served::closed();
    let document = Document::read(&served);
    let requests = ["Nothing", "Promote"];
    for (name, schema) in document.whole["components"]["schemas"].as_object().unwrap() {
        assert_eq!(schema["type"], "object", "{name}");
        assert_eq!(schema["additionalProperties"], false, "{name}");
        let properties: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().collect();
        if !requests.contains(&&**name) {
            let required = schema["required"].as_array().unwrap();
            let required: BTreeSet<_> = required.iter().map(|it| it.as_str().unwrap()).collect();
            assert!(properties.iter().map(|it| &***it).eq(required), "{name}");
        }
        for (field, schema) in schema["properties"].as_object().unwrap() {
            assert!(schema["description"].is_string(), "{name}.{field} is not described");
        }
    }
}

/// A status of a host that has just begun has nothing where the other one has something.
#[test]
fn an_empty_status_fits_too() {
    let served = Served::open();
    let mut document = Document::read(&served);
    served.operator.change(|status| {
        status.past.clear();
        status.shadows.clear();
        status.event_plugins.clear();
        status.log.clear();
        (status.store, status.queue, status.last_reload) = (None, None, None);
        status.plugins[0].policy.breaker = None;
        status.plugins[0].policy.deadline_ms = None;
        status.plugins[0].policy.slow_ms = None;
    });
    document.check("get", "/api/status", &served.get("/api/status"));
}

/// What requests may say is what the document has: see the tests of bad requests.
#[test]
fn the_bodies_of_requests_are_in_the_document() {
    let served = Served::open();
    let document = Document::read(&served);
    let body = |path: &str| {
        let content = &document.whole["paths"][path]["post"]["requestBody"]["content"];
        content["application/json"]["schema"].clone()
    };
    for (path, good, bad) in [
        ("/api/reload", json!({}), json!({"force": true})),
        ("/api/promote", json!({"force": true}), json!({"force": 1})),
    ] {
        document.validate(&body(path), &good, path);
        assert_eq!(served.tell(&format!("POST {path}"), &good.to_string()).status, 200);
        assert_eq!(served.tell(&format!("POST {path}"), &bad.to_string()).status, 400);
        let fails = std::panic::catch_unwind(|| document.validate(&body(path), &bad, path));
        assert!(fails.is_err(), "{path}");
    }
}
