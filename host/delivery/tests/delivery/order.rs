//! In which order events arrive.

use crate::kit::{Reply, Server, Tracker, finish, fluentd, numbers, start};
use host_delivery::sink::fluentd::Config;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

#[tokio::test]
async fn one_connection_keeps_the_order_through_failures() {
    let seen = AtomicUsize::new(0);
    let mut server = Server::start(move |_| match seen.fetch_add(1, Ordering::SeqCst) % 5 {
        1 => Reply::Status(500),
        3 => Reply::Reset,
        _ => Reply::Status(200),
    })
    .await;
    let events = Tracker::new();
    let config = Config { max_connections: 1, batch: 2, ..Config::new(server.url("/")) };
    let delivery = start(vec![fluentd(config)]);
    for number in 0..60 {
        delivery.send(events.item(number)).await;
        tokio::task::yield_now().await;
    }
    events.wait(60).await;
    finish(delivery).await;
    let mut came: Vec<_> = server.so_far().iter().flat_map(|it| numbers(&it.body)).collect();
    came.dedup();
    let mut first_seen = Vec::new();
    for number in came {
        if !first_seen.contains(&number) {
            first_seen.push(number);
        }
    }
    assert_eq!(first_seen, (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn with_n_connections_n_minus_one_requests_overtake_at_most() {
    let (open, opened) = watch::channel(false);
    let mut server = Server::start(move |request| match numbers(&request.body)[0] {
        0 => Reply::When(opened.clone()),
        _ => Reply::Status(200),
    })
    .await;
    let events = Tracker::new();
    let config = Config { max_connections: 4, ..Config::new(server.url("/")) };
    let delivery = start(vec![fluentd(config)]);
    for number in 0..20 {
        delivery.send(events.item(number)).await;
    }
    events.wait(3).await;
    let mut came: Vec<_> = server.so_far().iter().flat_map(|it| numbers(&it.body)).collect();
    came.sort_unstable();
    assert_eq!(came, [0, 1, 2, 3]);
    let fifth = tokio::time::timeout(Duration::from_millis(50), server.next()).await;
    assert!(fifth.is_err(), "{fifth:?} overtook");
    assert!(!events.is_done(0) && events.is_done(3));
    open.send(true).unwrap();
    events.wait(20).await;
    finish(delivery).await;
}
