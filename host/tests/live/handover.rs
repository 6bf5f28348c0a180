//! Another process takes over, and no client notices.

use crate::kit::{Running, marked, plugin, put};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fixtures::{After, Connection, Upstream, exchange, get, guest, library};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A host whose successors end with it.
struct Family(Running);

impl Deref for Family {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.0
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if self.0.host.is_running() {
            // In the moment in which the first process becomes a supervisor a signal may be lost.
            let latest = Instant::now() + Duration::from_secs(5);
            while !self.children().is_empty() && !self.supervises() && Instant::now() < latest {
                thread::yield_now();
            }
            self.0.host.stop();
        }
    }
}

impl Family {
    fn start(upstream: Upstream, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        put(&folder.path().join("a.so"), &marked("marked", 1));
        let plugin = plugin(&folder.path().join("a.so"), "a");
        let flags = flags.iter().map(|flag| (*flag).to_owned());
        let flags = [plugin, "--no-watch".to_owned()].into_iter().chain(flags).collect();
        Self(Running::with(folder, upstream, flags))
    }

    /// The process that serves.
    fn serving(&self) -> u64 {
        self.status()["pid"].as_u64().unwrap()
    }

    /// Tells it to restart; another process serves then.
    fn restart(&self) {
        let before = self.serving();
        let said = self.told(&["restart"]);
        assert!(said.contains("has taken over"), "{said}");
        assert_ne!(self.serving(), before);
    }

    /// Whether the first process is a supervisor.
    fn supervises(&self) -> bool {
        let command = fs::read(format!("/proc/{}/cmdline", self.host.pid()));
        command.is_ok_and(|command| command.windows(9).any(|word| word == b"supervise"))
    }

    fn children(&self) -> Vec<i32> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.host.pid())).unwrap();
        let lists = threads.flatten().filter_map(|it| {
            fs::read_to_string(it.path().join("children")).ok() // the thread may have ended
        });
        let lists: String = lists.collect();
        lists.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    fn admin(&self) -> SocketAddr {
        let line = self.host.wait_for_log("metrics are at http://");
        let (_, url) = line.split_once("http://").unwrap();
        url.split_once('/').unwrap().0.parse().unwrap()
    }

    /// The lines of the file of events that have this text.
    fn events(&self, text: &str) -> usize {
        let events = fs::read_to_string(self.file("events.ndjson")).unwrap_or_default();
        events.lines().filter(|line| line.contains(text)).count()
    }
}

fn login(address: SocketAddr, password: &str) -> u16 {
    let credentials = STANDARD.encode(format!("ann:{password}"));
    get(address, "/", &[("Authorization", &format!("Basic {credentials}"))]).status
}

#[test]
fn no_request_is_refused_or_cut_off_under_load() {
    const RESTARTS: usize = 4;
    let it = Family::start(Upstream::echo(), &["--access-log=off"]);
    let (done, requests) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let keeps = || {
            let mut connection = Connection::open(it.host.address());
            while !done.load(Ordering::Relaxed) {
                connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
                let reply = connection.read();
                assert_eq!(reply.status, 200);
                requests.fetch_add(1, Ordering::Relaxed);
                if reply.header("connection") == Some("close") {
                    connection = Connection::open(it.host.address());
                }
            }
        };
        let comes_anew = || {
            while !done.load(Ordering::Relaxed) {
                let reply = exchange(
                    it.host.address(),
                    "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                );
                assert_eq!(reply.status, 200);
                requests.fetch_add(1, Ordering::Relaxed);
            }
        };
        let clients = [scope.spawn(keeps), scope.spawn(keeps), scope.spawn(comes_anew)];
        let mut before = 0;
        for _ in 0..RESTARTS {
            it.restart();
            // Some of them are of this process.
            let so_far = requests.load(Ordering::Relaxed);
            it.until("requests", || requests.load(Ordering::Relaxed) > so_far + 20);
            assert!(so_far > before);
            before = so_far;
        }
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
    });
    let status = it.status();
    assert_eq!(status["generations"]["mapped"], 1, "everything is loaded anew");
    // Whoever has started the host tells the first process, and it is the one that ends.
    it.host.signal(libc::SIGHUP);
    it.until_logged("reloaded: nothing has changed", 1);
    assert_eq!(it.host.stop().code(), Some(0), "{}", it.host.log());
    assert!(Connection::try_open(it.host.address()).is_err(), "nobody listens any more");
}

#[test]
fn what_is_under_way_ends_as_it_began_and_its_events_arrive_once() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let upstream = Upstream::serve(move |request, stream| {
        if request.target.starts_with("/slow") {
            let _ = wait.lock().unwrap().recv();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")?;
        if request.target.starts_with("/long") {
            stream.flush()?;
            let _ = wait.lock().unwrap().recv();
        }
        stream.write_all(b"later")?;
        Ok(After::KeepAlive)
    });
    let it = Family::start(upstream, &["--events=events.ndjson"]);
    let send = |path: &str| {
        let mut connection = Connection::open(it.host.address());
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        connection
    };
    let mut long = send("/long");
    let mut read = Vec::new();
    while !read.ends_with(b"first") {
        let mut byte = [0];
        long.read_exact(&mut byte);
        read.extend(byte);
    }
    let mut slow = send("/slow");
    it.until("the request", || it.status()["traffic"]["in_flight"] == 2);
    it.restart();
    assert_eq!(get(it.host.address(), "/quick", &[]).status, 200);
    assert!(!it.supervises(), "it ends before it has answered");
    release.send(()).unwrap();
    release.send(()).unwrap();
    let mut rest = [0; 5];
    long.read_exact(&mut rest);
    assert_eq!(&rest, b"later");
    let reply = slow.read();
    assert_eq!(
        (reply.status, reply.body.as_slice(), reply.complete),
        (200, &b"firstlater"[..], true)
    );
    assert_eq!(reply.header("connection"), Some("close"), "the next one goes to the successor");
    for path in ["/long", "/slow", "/quick"] {
        it.until(path, || it.events(path) > 0);
    }
    assert_eq!(it.host.stop().code(), Some(0), "{}", it.host.log());
    for path in ["/long", "/slow", "/quick"] {
        assert_eq!(it.events(path), 1, "{path}");
    }
}

#[test]
fn counts_locks_and_what_an_operator_has_disabled_stay() {
    let count = guest("rust", "count");
    let count = format!("--event-plugin={}", count.display());
    let flags = [&count, "--events=events.ndjson", "--basic-user=ann", "--basic-password=right"];
    let it = Family::start(Upstream::echo(), &flags);
    let id = it.plugin("pre")["id"].to_string();
    it.told(&["disable", &id]);
    for failures in 1..=4 {
        assert_eq!(login(it.host.address(), "wrong"), 401);
        it.until("the event", || it.events("T1000W") == failures);
        it.restart();
    }
    it.until("the lock", || login(it.host.address(), "right") == 403);
    it.restart();
    assert_eq!(login(it.host.address(), "right"), 403);
    assert_eq!(it.plugin("pre")["state"], "disabled");
}

#[test]
fn a_successor_that_does_not_load_changes_nothing() {
    let it = Family::start(Upstream::echo(), &[]);
    let before = it.serving();
    fs::write(it.file("a.so"), "broken").unwrap();
    let said = it.declined(&["restart"]);
    assert!(said.contains("this process goes on") && said.contains("a.so"), "{said}");
    assert_eq!((it.serving(), it.mark().mark), (before, 1));
    put(&it.file("a.so"), &marked("marked", 2));
    it.restart();
    assert_eq!(it.mark().mark, 2);
}

#[test]
fn a_successor_that_is_killed_while_it_loads_changes_nothing() {
    let it = Family::start(Upstream::echo(), &[]);
    let before = it.serving();
    put(&it.file("a.so"), &fs::read(library("hangs-in-register")).unwrap());
    thread::scope(|scope| {
        let told = scope.spawn(|| it.declined(&["restart"]));
        it.until("the successor", || !it.children().is_empty());
        for child in it.children() {
            // SAFETY: kill(2) takes numbers only.
            #[allow(unsafe_code)]
            unsafe {
                libc::kill(child, libc::SIGKILL);
            }
        }
        let said = told.join().unwrap();
        assert!(said.contains("the successor has ended"), "{said}");
    });
    assert_eq!((it.serving(), it.mark().mark), (before, 1));
    assert!(it.children().is_empty(), "no zombie is left");
}

#[test]
fn a_successor_that_fails_when_it_has_everything_gives_it_back() {
    let count = guest("rust", "count");
    let count = format!("--event-plugin={}", count.display());
    let flags = [
        &count,
        "--events=events.ndjson",
        "--basic-user=ann",
        "--basic-password=right",
        "--admin=127.0.0.1:0",
    ];
    let it = Family::start(Upstream::echo(), &flags);
    let admin = it.admin();
    let restart = || {
        let body = "POST /api/restart HTTP/1.1\r\nHost: localhost\r\nX-Tenon-Admin: 1\r\n\
                    Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        exchange(admin, body)
    };
    for failures in 1..=2 {
        assert_eq!(login(it.host.address(), "wrong"), 401);
        it.until("the event", || it.events("T1000W") == failures);
    }
    // What it needs last, in the way.
    let socket = it.file("state/control.sock");
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "mine").unwrap();
    let reply = restart();
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert!(reply.text().contains("is in the way of the control socket"), "{}", reply.text());
    // It goes on: with its counts, its events, and its record.
    for failures in 3..=4 {
        assert_eq!(login(it.host.address(), "wrong"), 401);
        it.until("the event", || it.events("T1000W") == failures);
    }
    it.until("the lock", || login(it.host.address(), "right") == 403);
    let record = fs::read_to_string(it.file("state/plugins.json")).unwrap();
    assert!(record.contains("\"clean\": false"), "{record}");
    fs::remove_file(&socket).unwrap();
    assert_eq!(restart().status, 200);
    assert_eq!(login(it.host.address(), "right"), 403);
    assert_ne!(it.serving(), u64::from(it.host.pid()));
}

/// As systemd does, and a terminal at Ctrl-C.
#[test]
fn a_signal_to_all_of_its_processes_is_one() {
    let it = Family::start(Upstream::echo(), &["--drain-delay=300ms"]);
    it.restart();
    it.until("the supervisor", || it.supervises());
    let serving = Pid::from_raw(i32::try_from(it.serving()).unwrap());
    kill(serving, Signal::SIGTERM).unwrap();
    assert_eq!(it.host.stop().code(), Some(0), "{}", it.host.log());
    assert!(!it.host.log().contains("without draining"), "{}", it.host.log());
}

#[test]
fn beyond_the_budget_it_restarts_by_itself_if_it_may() {
    let it = Family::start(Upstream::echo(), &["--generations=1", "--reexec"]);
    for mark in 2..5 {
        let before = it.serving();
        put(&it.file("a.so"), &marked("marked", mark));
        let said = it.told(&["reload"]);
        assert!(said.contains("has taken over"), "{said}");
        assert_ne!(it.serving(), before);
        assert_eq!(it.mark().mark, mark);
        assert_eq!(it.status()["generations"]["mapped"], 1);
    }
    // What does not load is refused as ever.
    let before = it.serving();
    fs::write(it.file("a.so"), "broken").unwrap();
    assert!(it.declined(&["reload"]).contains("a.so"));
    assert_eq!((it.serving(), it.mark().mark), (before, 4));
    assert_eq!(it.host.stop().code(), Some(0), "{}", it.host.log());
}
