//! Swaps under load.

use crate::kit::{Mark, Running, marked, marked_in, put};
use fixtures::{Build, Connection, Upstream, host_for_figures, library_with};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// PRE and POST are two objects of one file: whoever sees two marks in one response has seen half of
/// one chain and half of another.
#[test]
fn no_request_fails_or_is_served_half_by_one_chain_and_half_by_another() {
    const SWAPS: u32 = 100;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.so");
    let versions = [marked("marked", 1), marked("marked", 2)];
    put(&file, &versions[0]);
    let flags = ["pre", "post"]
        .map(|place| format!("--{place}-plugin={}={{\"name\": \"{place}\"}}", file.display()));
    let flags = [&flags[..], &["--no-watch".to_owned(), "--access-log=off".to_owned()]].concat();
    let it = Running::with(folder, Upstream::echo(), flags);
    let (done, requests) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let ask = || {
            let mut connection = Connection::open(it.host.address());
            while !done.load(Ordering::Relaxed) {
                connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
                let reply = connection.read();
                let marks = Mark::of(&reply);
                let (post, pre) = (marks[0].mark, marks[1].mark);
                assert_eq!((reply.status, post), (200, pre), "{marks:?}");
                requests.fetch_add(1, Ordering::Relaxed);
            }
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        for swap in 0..SWAPS {
            let version = (swap + 1) % 2;
            put(&file, &versions[version as usize]);
            it.reload();
        }
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
    });
    assert!(requests.load(Ordering::Relaxed) > u64::from(SWAPS));
    let status = it.status();
    assert_eq!(status["chain"]["number"], SWAPS + 1);
    assert_eq!(status["generations"]["mapped"], 2);
}

/// How long requests took while something else was done; each was answered, and if plugin and patch change
/// `together`, by a whole chain.
fn times_while(it: &Running, together: bool, mut something: impl FnMut()) -> Vec<Duration> {
    const CLIENTS: usize = 4;
    let done = AtomicBool::new(false);
    let ask = || {
        let (mut connection, mut times) = (Connection::open(it.host.address()), Vec::new());
        while !done.load(Ordering::Relaxed) {
            let begin = Instant::now();
            connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
            let reply = connection.read();
            times.push(begin.elapsed());
            let marks = Mark::of(&reply);
            // The upstream repeats what the patch told it.
            let patch = reply.header("x-patch").unwrap().parse::<u32>().unwrap();
            let expected = if together { marks[0].mark } else { patch };
            assert_eq!((reply.status, patch), (200, expected), "{marks:?}");
        }
        times
    };
    let mut times = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        something();
        done.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    times.sort();
    times
}

/// In KiB: what the process has in memory, and what of it is its own.
fn memory(it: &Running) -> (u64, u64) {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", it.host.pid())).unwrap();
    let line = |name: &str| {
        let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    (line("Rss:"), line("Private_Dirty:"))
}

/// The figures of the README. Takes minutes, and is for a quiet machine; the host is built for release,
/// unless `TENON_SOAK` is the path of one that is:
/// `cargo test -p host --test live -- --ignored --nocapture soak`
#[test]
#[ignore = "takes minutes, and is for a quiet machine"]
fn soak() {
    const SWAPS: u32 = 1000;
    const CONTENTS: u32 = 40;
    const ROUNDS: u32 = 10;
    const PACE: Duration = Duration::from_millis(200);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("patches")).unwrap();
    let plugin = folder.path().join("a.so");
    let patch = folder.path().join("patches/reverse_proxy.so");
    // As they are in production: a tenth of the size.
    let release = Build { release: true, ..Build::default() };
    let [of_plugin, of_patch] = ["marked", "marked-patch"].map(|it| library_with(it, &release));
    let version = |mark| {
        let plugin = marked_in("marked", &of_plugin, mark);
        (plugin, marked_in("marked-patch", &of_patch, mark))
    };
    let versions = [version(0), version(1)];
    let put_both = |it: &(Vec<u8>, Vec<u8>)| {
        put(&plugin, &it.0);
        put(&patch, &it.1);
    };
    put_both(&versions[0]);
    let upstream = Upstream::respond(|request| {
        let patch = request.header("x-patch").unwrap_or("none");
        format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Patch: {patch}\r\n\r\nok").into()
    });
    let flags = vec![
        format!("--pre-plugin={}={{\"name\": \"a\"}}", plugin.display()),
        "--no-watch".to_owned(),
        "--access-log=off".to_owned(),
        "--generations=1000".to_owned(),
    ];
    let it = Running::of(host_for_figures(), folder, upstream, flags);
    // In turns: the machine's own moments should count for both.
    let (mut undisturbed, mut disturbed) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        #[allow(clippy::disallowed_methods)] // a time without anything
        undisturbed.extend(times_while(&it, true, || thread::sleep(Duration::from_secs(10))));
        disturbed.extend(times_while(&it, false, || {
            for swap in 1..=SWAPS / ROUNDS {
                put(&patch, &versions[(round + swap) as usize % 2].1);
                it.reload();
                #[allow(clippy::disallowed_methods)] // the pace that is measured
                thread::sleep(PACE);
            }
            put_both(&versions[0]);
            it.reload();
        }));
    }
    undisturbed.sort();
    disturbed.sort();
    // As fast as it goes, and both.
    let hurried = times_while(&it, true, || {
        for swap in 1..=SWAPS {
            put_both(&versions[swap as usize % 2]);
            it.reload();
        }
    });
    let before = memory(&it);
    for content in 2..2 + CONTENTS {
        put_both(&version(content));
        it.reload();
        it.marks();
    }
    let after = memory(&it);
    let generations = it.status()["generations"]["mapped"].as_u64().unwrap();
    assert_eq!(generations, u64::from(2 * (2 + CONTENTS)));
    let at = |times: &[Duration], share: usize| times[times.len() * share / 1000];
    let all = [("undisturbed", &undisturbed), ("swaps", &disturbed), ("in a row", &hurried)];
    for (name, times) in all {
        let (half, most) = (at(times, 500), at(times, 990));
        println!("{name}: {} requests, p50 {half:?}, p99 {most:?}", times.len());
    }
    let ratio = at(&disturbed, 990).as_secs_f64() / at(&undisturbed, 990).as_secs_f64();
    println!("{SWAPS} swaps, one every {PACE:?}: p99 {ratio:.2} times that of undisturbed");
    let each = |a: u64, b: u64| a.saturating_sub(b) / u64::from(2 * CONTENTS);
    println!(
        "a generation: {} KiB in memory, {} KiB of it private and dirty",
        each(after.0, before.0),
        each(after.1, before.1)
    );
    assert!(ratio <= 1.5, "the p99 is {ratio:.2} times that of undisturbed");
}
