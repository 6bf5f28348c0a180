//! An operator that says what a test wants, and remembers what it was told.

use host::locks::Lock;
use host::operator::{
    Chain, Command, Declined, Difference, Done, EventPlugin, Generations, Log, Operator, Plugin,
    Policy, Pool, Queue, Reload, Shadow, Status, Store, Traffic,
};
use host_proxy::Phase;
use serde_json::json;
use std::pin::Pin;
use std::sync::Mutex;

type Answer = Pin<Box<dyn Future<Output = Result<Done, Declined>> + Send>>;

pub(crate) struct Mock {
    pub(crate) phase: Mutex<Phase>,
    pub(crate) status: Mutex<Status>,
    pub(crate) locks: Mutex<Vec<Lock>>,
    pub(crate) told: Mutex<Vec<Command>>,
    /// What comes of the next command; `done` otherwise.
    pub(crate) next: Mutex<Option<Answer>>,
}

impl Default for Mock {
    fn default() -> Self {
        Self {
            phase: Mutex::new(Phase::Serving),
            status: Mutex::new(everything()),
            locks: Mutex::new(vec![lock("tenon-lock-bob", "bob")]),
            told: Mutex::default(),
            next: Mutex::default(),
        }
    }
}

impl Mock {
    pub(crate) fn told(&self) -> Vec<Command> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().unwrap());
    }

    pub(crate) fn answers(&self, answer: Result<Done, Declined>) {
        self.waits(Box::pin(std::future::ready(answer)));
    }

    pub(crate) fn waits(&self, answer: Answer) {
        *self.next.lock().unwrap() = Some(answer);
    }
}

impl Operator for Mock {
    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap()
    }

    fn status(&self) -> Status {
        self.status.lock().unwrap().clone()
    }

    fn locks(&self) -> Vec<Lock> {
        self.locks.lock().unwrap().clone()
    }

    fn command<'a>(
        &'a self,
        command: Command,
    ) -> Pin<Box<dyn Future<Output = Result<Done, Declined>> + Send + 'a>> {
        self.told.lock().unwrap().push(command);
        let done = Done { message: "done as told".to_owned() };
        let otherwise: Answer = Box::pin(std::future::ready(Ok(done)));
        self.next.lock().unwrap().take().unwrap_or(otherwise)
    }
}

pub(crate) fn lock(name: &str, user: &str) -> Lock {
    let value = json!({
        "name": name,
        "target": {"user": user},
        "message": "too many failures",
        "expires": "2036-01-01T00:00:00Z",
        "created_by": "lockout",
    });
    serde_json::from_value(value).unwrap()
}

pub(crate) fn plugin(id: u64, place: &str, name: &str) -> Plugin {
    Plugin {
        id,
        place: place.to_owned(),
        name: name.to_owned(),
        kind: "native".to_owned(),
        path: format!("plugins/lib{name}.so"),
        version: "1.2.3".to_owned(),
        interface: "1.0.0".to_owned(),
        compiler: "rustc 1.95.0".to_owned(),
        sha256: format!("{id:064x}"),
        offers: vec![format!("middleware {name}")],
        replaces: None,
        state: "active".to_owned(),
        reason: String::new(),
        since: "2026-01-02T03:04:05.678Z".to_owned(),
        calls: 123_456,
        errors: 2,
        panics: 1,
        slow: 3,
        not_called: 4,
        p50_us: Some(0.25),
        p99_us: Some(1234.5),
        policy: Policy {
            on_panic: "bypass".to_owned(),
            breaker: Some("5 in 10s, rests 30s".to_owned()),
            deadline_ms: Some(2000),
            slow_ms: Some(100),
        },
    }
}

fn builtin(id: u64, place: &str, name: &str) -> Plugin {
    Plugin {
        kind: "builtin".to_owned(),
        path: String::new(),
        sha256: String::new(),
        interface: String::new(),
        p50_us: None,
        p99_us: None,
        ..plugin(id, place, name)
    }
}

/// A status in which nothing is empty.
fn everything() -> Status {
    let date = || "2026-01-02T03:04:05.678Z".to_owned();
    let patch = Plugin {
        replaces: Some("reverse_proxy".to_owned()),
        ..plugin(4, "reverse_proxy", "reverse-proxy-patch")
    };
    let disabled = Plugin {
        state: "disabled".to_owned(),
        reason: "by an operator".to_owned(),
        ..plugin(3, "post", "post-plugin")
    };
    let refused = Plugin {
        state: "refused".to_owned(),
        reason: "it exports no plugin".to_owned(),
        ..plugin(6, "pre", "broken")
    };
    Status {
        version: "0.1.0".to_owned(),
        interface: "1.0.0".to_owned(),
        pid: 4711,
        started: date(),
        phase: "serving".to_owned(),
        listening: "http://127.0.0.1:9090".to_owned(),
        target: "http://127.0.0.1:8081".to_owned(),
        prefix: "/prefix".to_owned(),
        traffic: Traffic { connections: 5, in_flight: 6, requests: 123_456, failed: 7 },
        chain: Chain { number: 3, since: date(), can_roll_back: true },
        plugins: vec![
            plugin(1, "pre", "pre-plugin"),
            builtin(2, "authenticator", "basic"),
            disabled,
            patch,
            builtin(5, "error_page", "error page"),
        ],
        past: vec![refused],
        shadows: vec![Shadow {
            plugin: Plugin { state: "shadow".to_owned(), ..plugin(7, "pre", "candidate") },
            compared_with: 1,
            requests: 1000,
            differed: 20,
            skipped: 3,
            not_comparable: 4,
            limit: 0.01,
            least: 100,
            verdict: "not promoted: 2 % of the requests differ, 1 % may".to_owned(),
            what: vec![("header x-trace-id".to_owned(), 20)],
            differences: vec![Difference {
                time: date(),
                method: "GET".to_owned(),
                path: "/a?b".to_owned(),
                what: vec!["header x-trace-id: \"1\" / none".to_owned()],
            }],
        }],
        generations: Generations { mapped: 60, budget: 64 },
        notes: vec!["the PRE plugin broken was refused".to_owned()],
        last_reload: Some(Reload {
            time: date(),
            trigger: "file".to_owned(),
            succeeded: false,
            message: "plugins/broken.so: it exports no plugin\nthe old one stays in use".to_owned(),
        }),
        event_plugins: vec![EventPlugin {
            id: 8,
            name: "lockout".to_owned(),
            path: "lockout.wasm".to_owned(),
            sha256: format!("{:064x}", 8),
            state: "resting".to_owned(),
            reason: "it fails again and again".to_owned(),
            on_error: "pass".to_owned(),
            pool: Pool { instances: 2, busy: 1, discarded: 3, timeout_ms: 2000, memory: 64 << 20 },
            kept: 10,
            changed: 20,
            skipped: 30,
            failed: 40,
            p50_us: Some(12.0),
            p99_us: Some(34.0),
        }],
        queue: Some(Queue { waiting: 17, room: 8192 }),
        store: Some(Store { tokens: 11, values: 12, bytes: 2048, limit: 64 << 20 }),
        locks: 1,
        log: vec![Log {
            time: date(),
            level: "WARN".to_owned(),
            plugin: "pre-plugin".to_owned(),
            message: "a warning of a plugin".to_owned(),
        }],
    }
}
