//! The end: nothing that was begun is lost, and nothing can hold it up for ever.

use crate::raw::{self, skip_head, wait_for_end};
use crate::{proxy, proxy_to};
use fixtures::{Connection, Host, Reply, Upstream};
use libc::SIGTERM;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Instant;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// What became of a client's requests, once the host takes no more.
#[derive(Default)]
struct Tally {
    answered: usize,
    /// Why a request was not answered that was sent on a new connection, or on one that has served
    /// others and was not said to end.
    lost_new: Vec<io::Error>,
    lost_kept: Vec<io::Error>,
}

/// Sends requests until nothing listens any more.
fn hammer(address: SocketAddr, keep: bool, total: &AtomicUsize) -> Tally {
    let mut tally = Tally::default();
    while let Ok(mut connection) = Connection::try_open(address) {
        for at in 0.. {
            connection.send(GET);
            match connection.try_read() {
                Ok(reply) if is_whole(&reply) => {
                    tally.answered += 1;
                    total.fetch_add(1, Ordering::Relaxed);
                    if !keep || reply.header("connection") == Some("close") {
                        break;
                    }
                }
                Ok(reply) => panic!("half an answer: {reply:?}"),
                Err(error) => {
                    if at == 0 { &mut tally.lost_new } else { &mut tally.lost_kept }.push(error);
                    break;
                }
            }
        }
    }
    tally
}

fn is_whole(reply: &Reply) -> bool {
    reply.status == 200 && reply.complete && reply.text().starts_with("GET / HTTP/1.1")
}

#[test]
fn no_request_is_lost_under_load() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &["--access-log", "off"]);
    let (address, total) = (host.address(), AtomicUsize::new(0));
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let total = &total;
        let clients: Vec<_> =
            (0..16).map(|at| scope.spawn(move || hammer(address, at % 2 == 0, total))).collect();
        let started = Instant::now();
        while total.load(Ordering::Relaxed) < 500 && started.elapsed() < raw::LIMIT {
            thread::yield_now();
        }
        host.signal(SIGTERM);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let status = host.wait();
    assert!(status.success(), "{status}: {}", host.log());
    host.wait_for_log("drained, nothing was cut off");
    let answered: usize = tallies.iter().map(|tally| tally.answered).sum();
    assert!(answered > 500, "{answered}: there was no load");
    let kept: Vec<_> = tallies.iter().flat_map(|tally| &tally.lost_kept).collect();
    assert!(kept.is_empty(), "of {answered}: {kept:?}");
    // No system call closes a port and takes what waits there in one step: what comes between the
    // last look and the end is the system's to reset.
    let new: Vec<_> = tallies.iter().flat_map(|tally| &tally.lost_new).collect();
    assert!(new.len() <= 1, "of {answered}: {new:?}");
}

/// Waits until the host has closed its port.
fn wait_until_closed(host: &Host) {
    let started = Instant::now();
    while TcpStream::connect(host.address()).is_ok() {
        assert!(started.elapsed() < raw::LIMIT, "the port should be closed");
    }
}

/// An upstream that says when it is asked, and then answers in two halves: the first at once if
/// so asked, the rest when it is told to.
fn in_halves(at_once: bool) -> (String, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (asked, is_asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let may_go = Arc::new(Mutex::new(may_go));
    let url = raw::upstream(move |mut stream| {
        skip_head(&mut stream);
        let (head, rest) =
            (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n".as_slice(), b"12345678");
        let all = [head, rest].concat();
        let (now, later) = all.split_at(if at_once { head.len() + 4 } else { 0 });
        let _ = stream.write_all(now);
        let _ = asked.send(());
        let _ = may_go.lock().unwrap().recv();
        let _ = stream.write_all(later);
        wait_for_end(&mut stream);
    });
    (url, is_asked, go)
}

#[test]
fn a_slow_request_ends_well() {
    for at_once in [false, true] {
        let (slow, is_asked, go) = in_halves(at_once);
        let host = proxy_to(&slow, &["--drain-delay", "0s"]);
        let mut idle = Connection::open(host.address());
        let mut connection = Connection::open(host.address());
        connection.send(GET);
        is_asked.recv_timeout(raw::LIMIT).unwrap();
        host.signal(SIGTERM);
        wait_until_closed(&host);
        assert!(idle.is_closed(), "nobody waits for a connection that waits");
        assert!(host.is_running());
        go.send(()).unwrap();
        let reply = connection.read();
        assert_eq!((reply.status, reply.text(), reply.complete), (200, "12345678", true));
        // A head that was already on its way may not say so.
        assert!(at_once || reply.header("connection") == Some("close"));
        assert!(connection.is_closed());
        assert!(host.wait().success(), "{}", host.log());
        host.wait_for_log("drained, nothing was cut off");
    }
}

#[test]
fn every_answer_says_that_it_is_the_last_while_connections_are_still_taken() {
    let upstream = Upstream::echo();
    let host = proxy(&upstream, &["--drain-delay", "1h"]);
    let mut kept = Connection::open(host.address());
    kept.send(GET);
    assert_eq!(kept.read().header("connection"), None);
    host.signal(SIGTERM);
    host.wait_for_log("draining");
    // The log is a moment ahead; from the first answer that says so, all do.
    while {
        kept.send(GET);
        kept.read().header("connection").is_none()
    } {}
    assert!(kept.is_closed());
    let reply = fixtures::get(host.address(), "/", &[]);
    assert_eq!(
        (reply.status, reply.header("connection"), reply.closed),
        (200, Some("close"), true)
    );
}

#[test]
fn what_hangs_is_cut_off_at_the_deadline() {
    let (hangs, is_asked, _go) = in_halves(false);
    let host = proxy_to(&hangs, &["--drain-delay", "0s", "--drain-timeout", "300ms"]);
    let mut connection = Connection::open(host.address());
    connection.send(GET);
    is_asked.recv_timeout(raw::LIMIT).unwrap();
    assert_eq!(host.stop().code(), Some(1));
    let line = host.wait_for_log("the time to drain is over");
    assert!(line.contains("ERROR") && line.contains("connections=1"), "{line}");
    assert!(connection.is_closed());
}

#[test]
fn a_tunnel_is_cut_off_at_the_deadline() {
    let upstream = Upstream::serve(|_, stream| {
        let switches = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n";
        write!(stream, "{switches}Upgrade: websocket\r\n\r\nhello")?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).map(|_| fixtures::After::Close)
    });
    let host = proxy(&upstream, &["--drain-delay", "0s", "--drain-timeout", "300ms"]);
    let mut connection = Connection::open(host.address());
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    connection.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n"));
    assert_eq!(connection.read().status, 101);
    connection.read_exact(&mut [0; 5]);
    assert_eq!(host.stop().code(), Some(1));
    let line = host.wait_for_log("the time to drain is over");
    assert!(line.contains("connections=1"), "{line}");
    assert!(connection.is_closed());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (hangs, is_asked, _go) = in_halves(false);
    let host = proxy_to(&hangs, &["--drain-timeout", "1h"]);
    let mut connection = Connection::open(host.address());
    connection.send(GET);
    is_asked.recv_timeout(raw::LIMIT).unwrap();
    host.signal(SIGTERM);
    host.wait_for_log("draining; a second signal ends it at once");
    assert_eq!(host.stop().code(), Some(1));
    host.wait_for_log("ended without draining");
}
