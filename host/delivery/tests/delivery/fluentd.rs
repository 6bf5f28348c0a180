//! What fluentd gets.

use crate::kit::{Reply, Server, Tracker, finish, fluentd, json, numbers, start};
use host_delivery::sink::fluentd::Config;
use std::time::Duration;
use tokio::sync::watch;

#[tokio::test]
async fn an_event_is_one_post_of_its_bytes_and_200_and_204_mean_success() {
    for status in [200, 204] {
        let mut server = Server::start(move |_| Reply::Status(status)).await;
        let events = Tracker::new();
        let delivery = start(vec![fluentd(Config::new(server.url("/events.log")))]);
        delivery.send(events.item(1)).await;
        let request = server.next().await;
        assert_eq!(request.method, "POST");
        assert_eq!(request.path, "/events.log");
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["host"], server.address.to_string());
        assert_eq!(request.body, json(1));
        events.wait(1).await;
        finish(delivery).await;
        assert!(server.so_far().is_empty());
    }
}

#[tokio::test]
async fn a_batch_is_what_has_queued_up_as_an_array() {
    let (open, opened) = watch::channel(false);
    let mut server = Server::start(move |_| Reply::When(opened.clone())).await;
    let config = Config { batch: 3, max_connections: 1, ..Config::new(server.url("/")) };
    let events = Tracker::new();
    let delivery = start(vec![fluentd(config)]);
    delivery.send(events.item(1)).await;
    assert_eq!(server.next().await.body, format!("[{}]", json(1)), "it waited to be joined");
    for number in 2..=6 {
        delivery.send(events.item(number)).await;
    }
    open.send(true).unwrap();
    let three = [json(2), json(3), json(4)].join(",");
    assert_eq!(server.next().await.body, format!("[{three}]"));
    assert_eq!(server.next().await.body, format!("[{},{}]", json(5), json(6)));
    finish(delivery).await;
    assert_eq!(events.done(), 6);
}

#[tokio::test]
async fn a_batch_has_no_more_bytes_than_allowed_unless_one_event_has() {
    let mut server = Server::start(|_| Reply::Status(200)).await;
    let bytes = 2 * json(1).len() + 1;
    let config = Config {
        batch: 10,
        batch_bytes: bytes,
        max_connections: 1,
        ..Config::new(server.url("/"))
    };
    let events = Tracker::new();
    let delivery = start(vec![fluentd(config)]);
    let long = format!(r#"{{"uid":"4","text":"{}"}}"#, "x".repeat(bytes));
    for number in 1..=3 {
        delivery.send(events.item(number)).await;
    }
    delivery.send(events.item_of("4", &long)).await;
    delivery.send(events.item(5)).await;
    finish(delivery).await;
    let batches: Vec<_> = server.so_far().iter().map(|it| numbers(&it.body)).collect();
    assert_eq!(batches, [vec![1, 2], vec![3], vec![4], vec![5]]);
}

#[tokio::test]
async fn recordings_go_to_a_url_of_their_session() {
    for batch in [1, 10] {
        let mut server = Server::start(|_| Reply::Status(200)).await;
        let config = Config {
            session_url: Some(server.url("/session")),
            batch,
            ..Config::new(server.url("/events"))
        };
        let events = Tracker::new();
        let delivery = start(vec![fluentd(config)]);
        for (number, session) in [(1, None), (2, Some("a")), (3, Some("b")), (4, None)] {
            let mut item = events.item(number);
            item.session = session.map(Into::into);
            delivery.send(item).await;
        }
        finish(delivery).await;
        let mut came: Vec<_> =
            server.so_far().into_iter().map(|it| (it.path, numbers(&it.body))).collect();
        came.sort();
        let expected: &[(&str, &[usize])] = match batch {
            1 => &[
                ("/events", &[1]),
                ("/events", &[4]),
                ("/session.a.log", &[2]),
                ("/session.b.log", &[3]),
            ],
            _ => &[("/events", &[1, 4]), ("/session.a.log", &[2]), ("/session.b.log", &[3])],
        };
        let expected: Vec<_> = expected.iter().map(|(a, b)| (a.to_string(), b.to_vec())).collect();
        assert_eq!(came, expected);
    }
}

#[tokio::test]
async fn there_are_no_more_connections_than_allowed_and_they_are_kept() {
    let mut server = Server::start(|_| Reply::After(Duration::from_millis(2))).await;
    let events = Tracker::new();
    let config = Config { max_connections: 4, ..Config::new(server.url("/")) };
    let delivery = start(vec![fluentd(config)]);
    for number in 0..200 {
        delivery.send(events.item(number)).await;
    }
    events.wait(200).await;
    assert_eq!(server.so_far().len(), 200);
    assert_eq!(server.most_requests(), 4);
    assert_eq!(server.all_connections(), 4);
    finish(delivery).await;
}
