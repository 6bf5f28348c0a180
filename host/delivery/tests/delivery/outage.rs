//! Sinks that are down, slow, or break off: nothing is lost, nothing piles up, nothing is flooded.

use crate::kit::{
    PATIENCE, Raw, Reply, Server, Tracker, failing_for, finish, fluentd, json, metric, named,
    numbers, read_request, reset, send_and_reset, soon, start, window,
};
use host_delivery::sink::fluentd::Config;
use host_delivery::{Outlet, Retry};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// Answers this a few times, and then 200.
async fn failing(times: usize, reply: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    let seen = AtomicUsize::new(0);
    Server::start(move |_| match seen.fetch_add(1, Ordering::SeqCst) {
        number if number < times => reply(),
        _ => Reply::Status(200),
    })
    .await
}

#[tokio::test]
async fn what_may_pass_or_be_mended_is_tried_again_until_it_succeeds() {
    for status in [500, 502, 503, 504, 429, 408, 401, 403, 404, 302, 201] {
        let mut server = failing(8, move || Reply::Status(status)).await;
        let events = Tracker::new();
        let delivery = start(vec![fluentd(Config::new(server.url("/")))]);
        delivery.send(events.item(1)).await;
        events.wait(1).await;
        assert_eq!(metric(&delivery, "tenon_sink_retries_total", "fluentd"), 8, "{status}");
        assert_eq!(metric(&delivery, "tenon_sink_delivered_total", "fluentd"), 1, "{status}");
        assert_eq!(metric(&delivery, "tenon_sink_dead_letters_total", "fluentd"), 0, "{status}");
        finish(delivery).await;
        let requests = server.so_far();
        assert_eq!(requests.len(), 9, "{status}");
        assert!(requests.iter().all(|request| request.body == json(1)), "{status}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_is_tried_again() {
    let mut server = failing(3, || Reply::Reset).await;
    let events = Tracker::new();
    let delivery = start(vec![fluentd(Config::new(server.url("/")))]);
    delivery.send(events.item(1)).await;
    events.wait(1).await;
    finish(delivery).await;
    assert_eq!(server.so_far().len(), 4);
}

#[tokio::test]
async fn a_reset_in_the_head_of_an_answer_is_none_and_in_its_body_it_is_one() {
    let server = Raw::start().await;
    let events = Tracker::new();
    let delivery = start(vec![fluentd(Config::new(server.url()))]);
    delivery.send(events.item(1)).await;
    for cut in ["", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Le"] {
        let mut stream = server.accept().await;
        assert_eq!(read_request(&mut stream).await, json(1), "after {cut:?}");
        assert_eq!(events.done(), 0);
        send_and_reset(stream, cut).await;
    }
    let mut stream = server.accept().await;
    assert_eq!(read_request(&mut stream).await, json(1));
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it";
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    events.wait(1).await;
    // It is not used again.
    delivery.send(events.item(2)).await;
    let mut stream = server.accept().await;
    assert_eq!(read_request(&mut stream).await, json(2));
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    events.wait(2).await;
    finish(delivery).await;
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closes_costs_no_pause() {
    let server = Raw::start().await;
    let events = Tracker::new();
    let slow = Retry { least: PATIENCE * 10, most: PATIENCE * 10 };
    let delivery = start(vec![Outlet { retry: slow, ..fluentd(Config::new(server.url())) }]);
    delivery.send(events.item(1)).await;
    let mut kept = server.accept().await;
    read_request(&mut kept).await;
    kept.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    events.wait(1).await;
    delivery.send(events.item(2)).await;
    assert_eq!(read_request(&mut kept).await, json(2));
    reset(kept);
    let mut fresh = server.accept().await;
    assert_eq!(read_request(&mut fresh).await, json(2));
    fresh.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    events.wait(2).await;
    finish(delivery).await;
}

#[tokio::test]
async fn a_server_that_never_answers_does_not_hang_it() {
    let mut server = failing(2, || Reply::Silence).await;
    let events = Tracker::new();
    let config = Config { timeout: Duration::from_millis(50), ..Config::new(server.url("/")) };
    let delivery = start(vec![fluentd(config)]);
    delivery.send(events.item(1)).await;
    server.next().await;
    let reason = failing_for(&delivery).await;
    assert!(reason.contains("no answer within 50ms"), "{reason}");
    events.wait(1).await;
    assert!(delivery.status()[0].failing.is_none());
    finish(delivery).await;
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let header = || Reply::Full(429, vec![("retry-after", "1".to_owned())], String::new());
    let mut server = failing(1, header).await;
    let events = Tracker::new();
    let delivery = start(vec![fluentd(Config::new(server.url("/")))]);
    delivery.send(events.item(1)).await;
    server.next().await;
    let since = Instant::now();
    server.next().await;
    assert!(since.elapsed() >= Duration::from_millis(990), "{:?}", since.elapsed());
    finish(delivery).await;
}

#[tokio::test]
async fn a_server_that_is_down_is_asked_by_one_at_a_time() {
    let pause = Duration::from_millis(20);
    let mut server = failing(usize::MAX, || Reply::Status(503)).await;
    let events = Tracker::new();
    let retry = Retry { least: pause, most: pause };
    let delivery = start(vec![Outlet { retry, ..fluentd(Config::new(server.url("/"))) }]);
    for number in 0..100 {
        delivery.send(events.item(number)).await;
    }
    for _ in 0..10 {
        server.next().await; // those that were under way when it went down
    }
    let since = Instant::now();
    for _ in 0..10 {
        server.next().await;
    }
    assert!(since.elapsed() >= pause * 9, "ten requests in {:?}", since.elapsed());
    assert_eq!(events.done(), 0);
    let left = delivery.finish(Duration::from_millis(10)).await;
    assert_eq!(left.sinks, [("fluentd".to_owned(), 100)]);
    assert_eq!(events.done(), 0, "what is left is not done");
}

#[tokio::test]
async fn a_sink_that_is_down_holds_up_the_others_only_when_its_window_is_full() {
    let is_up = Arc::new(AtomicBool::new(false));
    let up = is_up.clone();
    let mut broken = Server::start(move |_| match up.load(Ordering::SeqCst) {
        true => Reply::Status(200),
        false => Reply::Status(503),
    })
    .await;
    let mut whole = Server::start(|_| Reply::Status(200)).await;
    let delivery = Arc::new(start(vec![
        window(50, named("broken", fluentd(Config::new(broken.url("/"))))),
        window(50, named("whole", fluentd(Config::new(whole.url("/"))))),
    ]));
    let events = Arc::new(Tracker::new());
    let sent = Arc::new(AtomicUsize::new(0));
    let (to, from, count) = (delivery.clone(), events.clone(), sent.clone());
    let source = tokio::spawn(async move {
        for number in 0..200 {
            to.send(from.item(number)).await;
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    for _ in 0..50 {
        whole.next().await;
    }
    // For many pauses nothing moves: no event more is taken from the source.
    while metric(&delivery, "tenon_sink_retries_total", "broken") < 30 {
        broken.next().await;
    }
    assert_eq!(sent.load(Ordering::SeqCst), 50);
    assert_eq!(whole.so_far().len(), 0);
    assert_eq!(events.done(), 0);
    assert_eq!(metric(&delivery, "tenon_sink_waiting", "broken"), 50);
    let status = delivery.status();
    assert!(status[0].failing.as_ref().unwrap().1.contains("503"), "{status:?}");
    assert_eq!(status[0].waiting, 50);
    assert!(status[1].failing.is_none());

    is_up.store(true, Ordering::SeqCst);
    soon("everything is sent", source).await.unwrap();
    events.wait(200).await;
    assert_eq!(whole.so_far().len(), 150);
    let mut came: Vec<_> = broken.so_far().iter().flat_map(|it| numbers(&it.body)).collect();
    came.sort_unstable();
    came.dedup();
    assert!(came.len() >= 150, "{came:?}");
    assert_eq!(metric(&delivery, "tenon_sink_delivered_total", "broken"), 200);
    assert_eq!(metric(&delivery, "tenon_sink_waiting", "broken"), 0);
    assert!(metric(&delivery, "tenon_sink_last_success_seconds", "broken") > 1_700_000_000);
    assert!(delivery.status()[0].failing.is_none());
    finish(Arc::into_inner(delivery).unwrap()).await;
}

#[tokio::test]
async fn the_log_has_one_error_however_long_it_takes() {
    let log = crate::kit::Log::capture();
    let server = failing(20, || Reply::Status(503)).await;
    let events = Tracker::new();
    let delivery = start(vec![fluentd(Config::new(server.url("/")))]);
    delivery.send(events.item(1)).await;
    events.wait(1).await;
    finish(delivery).await;
    let lines = log.lines("ERROR");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("fluentd takes no events: ") && lines[0].contains("503"),
        "{lines:?}"
    );
    assert_eq!(log.lines("INFO").len(), 1, "{:?}", log.lines("INFO"));
}

#[tokio::test]
async fn what_somebody_has_to_mend_is_in_the_log_at_once() {
    let log = crate::kit::Log::capture();
    let server = failing(1, || Reply::Full(401, Vec::new(), "token expired".to_owned())).await;
    let events = Tracker::new();
    let delivery = start(vec![fluentd(Config::new(server.url("/")))]);
    delivery.send(events.item(1)).await;
    events.wait(1).await;
    finish(delivery).await;
    let lines = log.lines("ERROR");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("401 Unauthorized: token expired; check the credentials"));
}
