//! How fast it is. Run with `cargo test --release -p host-delivery speed -- --ignored --nocapture`.

use crate::kit::{PATIENCE, Reply, Server, finish, fluentd, soon, start, start_in};
use bytes::Bytes;
use host_delivery::sink::fluentd::Config;
use host_delivery::{Delivery, Item, Outlet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;

/// An event of the size that logins have.
const JSON: &str = r#"{"addr.remote":"198.51.100.23:36550","cluster_name":"teleport.example.com","code":"T1000W","ei":0,"error":"invalid username, password or second factor","event":"user.login","method":"local","success":false,"time":"2024-02-23T19:00:22.473Z","uid":"6bf5553c-f162-4cb2-85f5-479be47b2aa0","user":"teleport-admin","user_agent":"Go-http-client/1.1"}"#;

/// Delivers so many events; returns how many a second.
async fn rate(delivery: Delivery, count: u32) -> f64 {
    let done = Arc::new(AtomicU32::new(0));
    let all = Arc::new(Notify::new());
    let json = Bytes::from_static(JSON.as_bytes());
    let since = Instant::now();
    for number in 0..count {
        let (done, all) = (done.clone(), all.clone());
        let item = Item {
            json: json.clone(),
            kind: "user.login".into(),
            uid: format!("6bf5553c-f162-4cb2-85f5-{number:012}"),
            time: Some(SystemTime::now()),
            session: None,
            done: Box::new(move || {
                if done.fetch_add(1, Ordering::Relaxed) + 1 == count {
                    all.notify_one();
                }
            }),
        };
        delivery.send(item).await;
    }
    let end = tokio::time::timeout(PATIENCE * 10, all.notified());
    assert!(end.await.is_ok(), "{} of {count} arrived", done.load(Ordering::Relaxed));
    let rate = f64::from(count) / since.elapsed().as_secs_f64();
    finish(delivery).await;
    rate
}

async fn batched(outlet: impl Fn(Config) -> Outlet, with_state: bool) -> f64 {
    let mut server = Server::start(|_| Reply::Status(200)).await;
    server.forget();
    let config = Config { batch: 500, ..Config::new(server.url("/")) };
    let state = tempfile::tempdir().unwrap();
    let outlets = vec![outlet(config)];
    let delivery = if with_state { start_in(state.path(), outlets) } else { start(outlets) };
    rate(delivery, 500_000).await
}

/// One thread for the server too.
#[tokio::test]
#[ignore = "measures"]
async fn batches_on_one_core() {
    println!("batches of 500, no state: {:.0}/s", batched(fluentd, false).await);
    println!("batches of 500, journal: {:.0}/s", batched(fluentd, true).await);
    let dedupe = |config| Outlet { dedupe: 100_000, ..fluentd(config) };
    println!("batches of 500, journal, dedupe: {:.0}/s", batched(dedupe, true).await);
}

#[tokio::test]
#[ignore = "measures"]
async fn one_post_an_event() {
    let mut server = Server::start(|_| Reply::Status(200)).await;
    server.forget();
    let delivery = start(vec![fluentd(Config::new(server.url("/")))]);
    println!("a POST an event, 10 connections: {:.0}/s", rate(delivery, 50_000).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn one_post_an_event_to_a_server_with_25_ms() {
    for connections in [1_u32, 10] {
        let latency = Duration::from_millis(25);
        let mut server = Server::start(move |_| Reply::After(latency)).await;
        server.forget();
        let config =
            Config { max_connections: connections as usize, ..Config::new(server.url("/")) };
        let rate = soon("all", rate(start(vec![fluentd(config)]), connections * 200)).await;
        let most = f64::from(connections) / latency.as_secs_f64();
        println!("25 ms, {connections} connections: {rate:.0}/s, {most:.0}/s are possible");
    }
}
