//! What the pool costs beside Extism itself, what batches gain, and what neighbours do to each other.
//!
//! Everything that is compared is measured in one run, in turns, since machines are noisy. CPU time
//! is that of the whole process: Extism's timer thread takes its part of each call.
#![allow(missing_docs, clippy::unwrap_used, clippy::cast_precision_loss)]

use fixtures::{guest, wat};
use host_events::extism::{Manifest as Wasm, PluginBuilder, Wasm as Source};
use host_events::locks::Locks;
use host_events::store::{MemoryStore, Store};
use host_events::{AlertLog, Event, EventPlugin, Manifest, Metrics, Services};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const LOGIN: &str = r#"{"addr.remote":"198.51.100.23:36550","cluster_name":"teleport.example.com","code":"T1000W","ei":0,"error":"invalid username, password or second factor","event":"user.login","method":"local","success":false,"time":"2024-02-23T19:00:22.473Z","uid":"6bf5553c-f162-4cb2-85f5-479be47b2aa0","user":"teleport-admin","user_agent":"Go-http-client/1.1"}"#;
const TURN: Duration = Duration::from_millis(1500);
const TURNS: usize = 5;

/// Events in a span of time, and what they took of the processors.
#[derive(Clone, Copy)]
struct Rate {
    per_second: f64,
    cpu_microseconds: f64,
}

fn cpu() -> Duration {
    let used = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
    let time = |it: nix::sys::time::TimeVal| {
        Duration::from_micros((it.tv_sec() * 1_000_000 + it.tv_usec()).cast_unsigned())
    };
    time(used.user_time()) + time(used.system_time())
}

/// Measures what `events` counts for a turn.
fn rate(run: impl FnOnce(Instant) -> u64) -> Rate {
    let (began, used) = (Instant::now(), cpu());
    let events = run(began + TURN) as f64;
    let (took, used) = (began.elapsed(), cpu().saturating_sub(used));
    Rate {
        per_second: events / took.as_secs_f64(),
        cpu_microseconds: used.as_secs_f64() * 1e6 / events,
    }
}

fn median(mut rates: Vec<Rate>) -> Rate {
    rates.sort_by(|a, b| a.cpu_microseconds.total_cmp(&b.cpu_microseconds));
    rates[rates.len() / 2]
}

/// Extism alone: one plugin, one thread, its output looked at.
fn bare(input: &[u8]) -> impl FnMut() -> Rate {
    let wasm = std::fs::read(guest("rust", "echo")).unwrap();
    let manifest = Wasm::new([Source::data(wasm)]).with_timeout(Duration::from_secs(2));
    let mut plugin = PluginBuilder::new(manifest).with_cache_disabled().build().unwrap();
    let input = input.to_vec();
    move || {
        rate(|end| {
            let mut count = 0;
            while Instant::now() < end {
                for _ in 0..20 {
                    let output = plugin.call::<&[u8], &[u8]>("echo", &input).unwrap();
                    assert_eq!(output.len(), input.len());
                    count += 1;
                }
            }
            count
        })
    }
}

async fn load(path: std::path::PathBuf, concurrency: usize, timeout: Duration) -> Arc<EventPlugin> {
    let store = Arc::new(MemoryStore::new(1 << 20));
    let services = Services {
        store: store.clone() as Arc<dyn Store>,
        locks: store as Arc<dyn Locks>,
        alerts: Arc::new(AlertLog),
    };
    let manifest = Manifest { concurrency: Some(concurrency), timeout, ..Manifest::new(path) };
    let loaded = EventPlugin::load(manifest, services, &Metrics::default(), None).await;
    Arc::new(loaded.unwrap())
}

/// An event whose protobuf form is there already: what is measured is the call.
async fn prepared() -> Event {
    let mut event = [Some(Event::new(LOGIN))];
    load(wat("echo"), 1, Duration::from_secs(2)).await.handle(&mut event).await.unwrap();
    event[0].take().unwrap()
}

/// Callers, so many that no slot waits, that each ask about `batch` events at a time.
fn asked(
    runtime: &tokio::runtime::Runtime,
    plugin: &Arc<EventPlugin>,
    event: &Event,
    batch: usize,
) -> Rate {
    rate(|end| {
        let callers: Vec<_> = (0..2 * plugin.pool().concurrency())
            .map(|_| {
                let (plugin, event) = (plugin.clone(), event.clone());
                runtime.spawn(async move {
                    let mut count = 0;
                    while Instant::now() < end {
                        let mut events = vec![Some(event.clone()); batch];
                        plugin.handle(&mut events).await.unwrap();
                        count += events.iter().flatten().count() as u64;
                    }
                    count
                })
            })
            .collect();
        callers.into_iter().map(|caller| runtime.block_on(caller).unwrap()).sum()
    })
}

fn show(what: &str, rate: Rate, base: Rate) {
    println!(
        "{what:44} {:9.0} events/s {:7.2} µs CPU  {:6.2} × CPU  {:6.2} × rate",
        rate.per_second,
        rate.cpu_microseconds,
        rate.cpu_microseconds / base.cpu_microseconds,
        rate.per_second / base.per_second,
    );
}

/// The plugin `pass` without its export for many events: each event has a call of its own.
fn one_a_call(folder: &std::path::Path) -> std::path::PathBuf {
    let (many, none) = (b"handle_events", b"handle_no_one");
    let mut wasm = std::fs::read(guest("rust", "pass")).unwrap();
    let places: Vec<_> =
        (0..wasm.len() - many.len()).filter(|at| wasm[*at..].starts_with(many)).collect();
    for at in places {
        wasm[at..at + none.len()].copy_from_slice(none);
    }
    let path = folder.join("pass.wasm");
    std::fs::write(&path, wasm).unwrap();
    path
}

fn throughput(runtime: &tokio::runtime::Runtime) {
    let event = runtime.block_on(prepared());
    let mut request = Vec::new();
    host_events::codec::to_protobuf(LOGIN.as_bytes(), &mut request).unwrap();
    let mut bare = bare(&request);
    let seconds = Duration::from_secs(2);
    let folder = tempfile::tempdir().unwrap();
    let mut plugins = vec![(
        "pass without handle_events",
        1,
        runtime.block_on(load(one_a_call(folder.path()), 1, seconds)),
    )];
    for (name, slots) in [("pass", 1), ("pass", 2), ("touch", 1), ("touch", 2)] {
        plugins.push((name, slots, runtime.block_on(load(guest("rust", name), slots, seconds))));
    }
    let cases: Vec<_> = plugins
        .iter()
        .flat_map(|(name, slots, plugin)| [1, 256].map(|batch| (*name, *slots, plugin, batch)))
        .collect();
    let mut bares = Vec::new();
    let mut rates = vec![Vec::new(); cases.len()];
    for _ in 0..TURNS {
        bares.push(bare());
        for ((_, _, plugin, batch), rates) in cases.iter().zip(&mut rates) {
            rates.push(asked(runtime, plugin, &event, *batch));
        }
    }
    let base = median(bares);
    println!("an event of {} bytes in protobuf", request.len());
    show("Extism alone, echo, one an event", base, base);
    for ((name, slots, _, batch), rates) in cases.iter().zip(rates) {
        show(&format!("{name}, {slots} slot(s), {batch} at a time"), median(rates), base);
    }
}

/// What a second core gains: everything on one, and then on two, in turns.
fn cores() {
    const PAIRS: usize = 9;
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let rates = [1, 2].map(|cores| {
            // The threads that come of this one stay on its cores.
            let mut allowed = nix::sched::CpuSet::new();
            (0..cores).for_each(|core| allowed.set(core).unwrap());
            nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &allowed).unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = { runtime }.worker_threads(cores).enable_all().build().unwrap();
            let seconds = Duration::from_secs(2);
            let plugin = runtime.block_on(load(guest("rust", "touch"), cores, seconds));
            let event = runtime.block_on(prepared());
            asked(&runtime, &plugin, &event, 256)
        });
        pairs.push(rates);
    }
    // One beside the other: the machine has better and worse moments.
    let gain = |[one, two]: &[Rate; 2]| two.per_second / one.per_second;
    pairs.sort_by(|a, b| gain(a).total_cmp(&gain(b)));
    let [one, two] = &pairs[PAIRS / 2];
    println!(
        "touch, 256 at a time: {:.0} events/s on one core, {:.0} on two, {:.2} × ({:.2} to {:.2})",
        one.per_second,
        two.per_second,
        gain(&pairs[PAIRS / 2]),
        gain(&pairs[0]),
        gain(&pairs[PAIRS - 1]),
    );
}

/// The times of single calls of a healthy plugin, a hundred a second.
fn latencies(
    runtime: &tokio::runtime::Runtime,
    plugin: &Arc<EventPlugin>,
    count: u32,
) -> [Duration; 2] {
    let event = Event::new(LOGIN);
    let mut times = runtime.block_on(async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        let mut times = Vec::new();
        for _ in 0..count {
            ticks.tick().await;
            let began = Instant::now();
            plugin.handle(&mut [Some(event.clone())]).await.unwrap();
            times.push(began.elapsed());
        }
        times
    });
    times.sort();
    [times[times.len() / 2], times[times.len() * 99 / 100]]
}

fn neighbours(runtime: &tokio::runtime::Runtime) {
    let healthy = runtime.block_on(load(guest("rust", "touch"), 2, Duration::from_secs(2)));
    latencies(runtime, &healthy, 100);
    let alone = latencies(runtime, &healthy, 2000);
    let done = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicU64::new(0));
    let bad = ["loop", "trap"].map(|name| {
        let plugin = runtime.block_on(load(wat(name), 2, Duration::from_secs(2)));
        let (done, asked) = (done.clone(), asked.clone());
        runtime.spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(1));
            while !done.load(Ordering::Relaxed) {
                ticks.tick().await;
                plugin.handle(&mut [Some(Event::new(LOGIN))]).await.unwrap();
                asked.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let beside = latencies(runtime, &healthy, 2000);
    done.store(true, Ordering::Relaxed);
    for bad in bad {
        runtime.block_on(bad).unwrap();
    }
    println!(
        "a healthy plugin, alone:                   p50 {:?}, p99 {:?}\n\
         beside one that loops and one that traps:  p50 {:?}, p99 {:?}, {:.2} × ({} events to those)",
        alone[0],
        alone[1],
        beside[0],
        beside[1],
        beside[1].as_secs_f64() / alone[1].as_secs_f64(),
        asked.load(Ordering::Relaxed),
    );
}

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    throughput(&runtime);
    neighbours(&runtime);
    drop(runtime);
    cores();
}
