//! What a call over the plugin boundary costs: chains of 0 to 16 plugins, and the loading of one.
//!
//! `cargo bench -p host-proxy --features bench`

#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros; a benchmark may fail loudly

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fixtures::{Build, library_with};
use host_proxy::bench::Passage;
use host_proxy::native::{HostSide, Loader, LogEvents};
use host_proxy::{Client, ClientConfig, MemoryStore, Metrics, Timeouts, UpstreamHttp};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

fn host(runtime: &Runtime) -> Arc<HostSide> {
    let minute = Duration::from_secs(60);
    let timeouts = Timeouts { header: minute, connect: minute, idle: minute, request: None };
    let config = ClientConfig {
        target: None,
        http: UpstreamHttp::Auto,
        ca: None,
        certificate: None,
        timeouts,
    };
    let _entered = runtime.enter();
    HostSide::new(
        runtime.handle().clone(),
        Client::new(&config).unwrap(),
        Arc::new(MemoryStore::new(1 << 20)),
        Arc::new(Metrics::new()),
        Arc::new(LogEvents),
    )
}

fn loader(cache: &Path, runtime: &Runtime) -> Loader {
    Loader::new(cache.to_owned(), host(runtime), Duration::from_secs(10))
}

/// A request through the whole chain and back, both hooks of each plugin.
fn chains(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let loader = loader(&folder.path().join("cache"), &runtime);
    let release = Build { release: true, ..Build::default() };
    for package in ["noop-plugin", "set-header", "defers"] {
        let library = library_with(package, &release);
        let mut group = criterion.benchmark_group(package);
        for count in [0, 1, 4, 16] {
            let load = |_| loader.load(&library, "\"request\"").unwrap();
            let plugins = (0..count).map(load).collect();
            let mut passage = Passage::new(plugins).unwrap();
            assert!(passage.pass());
            group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
                bencher.iter(|| black_box(&mut passage).pass());
            });
        }
    }
}

/// What a shadow adds on the way of a request; what it does on its own thread is waited for, and not
/// counted in.
fn shadows(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let loader = loader(&folder.path().join("cache"), &runtime);
    let library = library_with("set-header", &Build { release: true, ..Build::default() });
    let load = || loader.load(&library, "\"request\"").unwrap();
    let mut group = criterion.benchmark_group("set-header with a shadow");
    let (mut passage, shadow) = Passage::with_shadow(load(), load()).unwrap();
    group.bench_function("on the way of the request", |bencher| {
        bencher.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                let start = Instant::now();
                assert!(black_box(&mut passage).pass());
                took += start.elapsed();
                runtime.block_on(shadow.settled());
            }
            took
        });
    });
    let report = shadow.report();
    assert_eq!((report.skipped, report.differed), (0, 0), "{report:?}");
    group.bench_function("with its own thread", |bencher| {
        bencher.iter(|| {
            assert!(black_box(&mut passage).pass());
            runtime.block_on(shadow.settled());
        });
    });
}

/// Copy, open, check, register: the first time a content is seen, and again.
fn loading(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let release = Build { release: true, ..Build::default() };
    let library = library_with("noop-plugin", &release);
    let mut group = criterion.benchmark_group("load");
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    group.bench_function("into an empty cache", |bencher| {
        bencher.iter(|| {
            number += 1;
            let loader = loader(&folder.path().join(number.to_string()), &runtime);
            loader.load(&library, "").unwrap()
        });
    });
    let loader = loader(&folder.path().join("again"), &runtime);
    group.bench_function("again", |bencher| bencher.iter(|| loader.load(&library, "").unwrap()));
}

criterion_group! {
    name = boundary;
    config = Criterion::default().sample_size(50);
    targets = chains, shadows, loading
}
criterion_main!(boundary);
