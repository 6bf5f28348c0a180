//! What a token costs: from one thread and from eight, of one scope and of many, in memory and on disk.
//!
//! `cargo bench -p host-events --bench store`

#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros; a benchmark may fail loudly

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use host_events::locks::Locks;
use host_events::store::{DiskStore, MemoryStore, Store};
use std::hint::black_box;
use std::time::{Duration, Instant};

const LIMIT: usize = 64 << 20;
/// Of each thread in one measurement: enough for several commits, not enough to fill the store.
const BATCH: u64 = 20_000;
const HOUR: Duration = Duration::from_secs(3600);

/// So many tokens from each thread, until the last one is taken.
fn take(store: &dyn Store, threads: u8, own_scope: bool) -> Duration {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let name = [b'u', b's', b'e', b'r', if own_scope { thread } else { 0 }];
            scope.spawn(move || {
                for _ in 0..BATCH {
                    black_box(store.take_token("lockout", &name, HOUR).unwrap());
                }
            });
        }
    });
    began.elapsed()
}

fn release(store: &dyn Store, threads: u8) {
    for thread in 0..threads {
        store.release_tokens("lockout", &[b'u', b's', b'e', b'r', thread]).unwrap();
    }
}

fn tokens(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let memory = MemoryStore::new(LIMIT);
    let disk = DiskStore::open(folder.path(), LIMIT).unwrap();
    let stores: [(&str, &dyn Store); 2] = [("memory", &memory), ("disk", &disk)];
    for (name, store) in stores {
        let mut group = criterion.benchmark_group(format!("take_token/{name}"));
        group.sample_size(10);
        for (case, threads, own_scope) in [
            ("1 thread", 1_u8, true),
            ("8 threads, 8 scopes", 8, true),
            ("8 threads, 1 scope", 8, false),
        ] {
            group.throughput(Throughput::Elements(u64::from(threads) * BATCH));
            group.bench_function(BenchmarkId::from_parameter(case), |bencher| {
                bencher.iter_custom(|times| {
                    let run = |_| {
                        let time = take(store, threads, own_scope);
                        release(store, threads);
                        time
                    };
                    (0..times).map(run).sum()
                });
            });
        }
    }
}

/// What taking and committing eight threads' tokens takes, until the disk has the last one.
fn durable(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), LIMIT).unwrap();
    let mut group = criterion.benchmark_group("take_token/disk, until all is committed");
    group.sample_size(10).throughput(Throughput::Elements(8 * BATCH));
    group.bench_function("8 threads, 8 scopes", |bencher| {
        bencher.iter_custom(|times| {
            let run = |_| {
                let began = Instant::now();
                take(&store, 8, true);
                store.flush().unwrap();
                let time = began.elapsed();
                release(&store, 8);
                store.flush().unwrap();
                time
            };
            (0..times).map(run).sum()
        });
    });
}

/// What the proxy asks at every request.
fn locked(criterion: &mut Criterion) {
    let store = MemoryStore::new(LIMIT);
    let mut group = criterion.benchmark_group("locked");
    group.bench_function("no locks", |bencher| bencher.iter(|| store.locked(black_box("bob"))));
    for user in 0..1000 {
        store.upsert(lock(&user.to_string())).unwrap();
    }
    group.bench_function("1000 locks, not this user", |bencher| {
        bencher.iter(|| store.locked(black_box("bob")));
    });
    group.bench_function("1000 locks, this user", |bencher| {
        bencher.iter(|| store.locked(black_box("500")));
    });
}

fn lock(user: &str) -> proto::types::LockV2 {
    use proto::types::{LockSpecV2, LockTarget, LockV2};
    let target = LockTarget { user: user.to_owned(), ..LockTarget::default() };
    let spec = LockSpecV2 { target: Some(target), ..LockSpecV2::default() };
    LockV2 { spec: Some(spec), ..LockV2::default() }
}

criterion_group!(store, tokens, durable, locked);
criterion_main!(store);
