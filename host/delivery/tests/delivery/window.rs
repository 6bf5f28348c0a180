//! How much is on its way at a time.

use crate::kit::{Reply, Server, Tracker, finish, fluentd, soon, start, window};
use host_delivery::sink::fluentd::Config;
use host_delivery::{Outlet, Window};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// Sends events until the window is full, and says how many that were; then lets them all arrive.
async fn fills(outlet: impl FnOnce(Config) -> Outlet, count: usize, json: String) -> usize {
    let (open, opened) = watch::channel(false);
    let server = Server::start(move |_| Reply::When(opened.clone())).await;
    let delivery = Arc::new(start(vec![outlet(Config::new(server.url("/")))]));
    let events = Arc::new(Tracker::new());
    let sent = Arc::new(AtomicUsize::new(0));
    let (to, from, counted) = (delivery.clone(), events.clone(), sent.clone());
    let source = tokio::spawn(async move {
        for number in 0..count {
            to.send(from.item_of(&number.to_string(), &json)).await;
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    // On this one thread the source runs until it has to wait for something.
    soon("something is on its way", async {
        while sent.load(Ordering::SeqCst) == 0 || delivery.status()[0].waiting == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let full = sent.load(Ordering::SeqCst);
    assert_eq!(delivery.status()[0].waiting, full);
    open.send(true).unwrap();
    soon("everything is sent", source).await.unwrap();
    events.wait(count).await;
    finish(Arc::into_inner(delivery).unwrap()).await;
    full
}

#[tokio::test]
async fn it_is_bounded_in_events() {
    let json = r#"{"uid":"1"}"#.to_owned();
    assert_eq!(fills(|config| window(25, fluentd(config)), 100, json).await, 25);
}

#[tokio::test]
async fn it_is_bounded_in_bytes() {
    let json = format!(r#"{{"uid":"1","text":"{}"}}"#, "x".repeat(10_000));
    let window = Window { events: 1000, bytes: 105_000 };
    let full = fills(|config| Outlet { window, ..fluentd(config) }, 50, json).await;
    assert_eq!(full, 10);
}

#[tokio::test]
async fn an_event_larger_than_the_window_arrives() {
    let json = format!(r#"{{"uid":"1","text":"{}"}}"#, "x".repeat(10_000));
    let window = Window { events: 1000, bytes: 100 };
    let full = fills(|config| Outlet { window, ..fluentd(config) }, 3, json).await;
    assert_eq!(full, 1);
}
