//! Events that a sink will never take.

use crate::kit::{
    Log, Reply, Request, Server, Tracker, failing_for, finish, fluentd, json, metric, numbers,
    start, start_in,
};
use host_delivery::DEAD_LETTERS;
use host_delivery::sink::fluentd::Config;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether the event with this number is in it.
fn has(request: &Request, number: usize) -> bool {
    numbers(&request.body).contains(&number)
}

#[tokio::test]
async fn the_one_to_blame_is_found_and_kept_and_the_others_arrive() {
    let log = Log::capture();
    let mut server = Server::start(|request| match has(request, 13) {
        true => Reply::Full(400, Vec::new(), "13 is\nunlucky".to_owned()),
        false => Reply::Status(200),
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let events = Tracker::new();
    let config = Config { batch: 20, ..Config::new(server.url("/")) };
    let delivery = start_in(state.path(), vec![fluentd(config)]);
    for number in 0..20 {
        delivery.send(events.item(number)).await;
    }
    events.wait(20).await;
    assert_eq!(metric(&delivery, "tenon_sink_dead_letters_total", "fluentd"), 1);
    assert_eq!(metric(&delivery, "tenon_sink_delivered_total", "fluentd"), 19);
    assert_eq!(metric(&delivery, "tenon_sink_retries_total", "fluentd"), 0);
    finish(delivery).await;
    let taken = server.so_far().into_iter().filter(|request| !has(request, 13));
    let taken: Vec<_> = taken.flat_map(|request| numbers(&request.body)).collect();
    assert_eq!(taken, (0..20).filter(|number| *number != 13).collect::<Vec<_>>(), "in order");
    let letters = fs::read_to_string(state.path().join(DEAD_LETTERS)).unwrap();
    let [letter] = letters.lines().collect::<Vec<_>>()[..] else { panic!("{letters}") };
    assert!(letter.ends_with(&format!(r#""event":{}}}"#, json(13))), "{letter}");
    assert!(letter.contains(r#""sink":"fluentd","reason":"the answer is 400 Bad Request: 13 is"#));
    let lines = log.lines("ERROR");
    assert!(lines.len() == 1 && lines[0].contains("13 is unlucky"), "{lines:?}");
    assert!(lines[0].contains("uid=\"13\"") && lines[0].contains("user.login"), "{lines:?}");
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved() {
    let mut server = Server::start(|request| match numbers(&request.body).len() {
        0..=2 => Reply::Status(200),
        _ => Reply::Status(413),
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let events = Tracker::new();
    let config = Config { batch: 16, ..Config::new(server.url("/")) };
    let delivery = start_in(state.path(), vec![fluentd(config)]);
    for number in 0..16 {
        delivery.send(events.item(number)).await;
    }
    events.wait(16).await;
    finish(delivery).await;
    let taken = server.so_far().into_iter().map(|request| numbers(&request.body));
    let taken: Vec<_> = taken.filter(|numbers| numbers.len() <= 2).flatten().collect();
    assert_eq!(taken, (0..16).collect::<Vec<_>>());
    assert!(!state.path().join(DEAD_LETTERS).exists());
}

#[tokio::test]
async fn an_event_is_not_done_before_it_lies_among_the_dead_letters() {
    let mut server = Server::start(|_| Reply::Status(400)).await;
    let state = tempfile::tempdir().unwrap();
    let in_the_way = state.path().join(DEAD_LETTERS);
    fs::create_dir(&in_the_way).unwrap();
    let events = Tracker::new();
    let delivery = start_in(state.path(), vec![fluentd(Config::new(server.url("/")))]);
    delivery.send(events.item(1)).await;
    for _ in 0..3 {
        server.next().await;
    }
    assert_eq!(events.done(), 0);
    let reason = delivery.status().remove(0).failing.unwrap().1;
    assert!(reason.contains("\"1\" (user.login)") && reason.contains(DEAD_LETTERS), "{reason}");
    fs::remove_dir(&in_the_way).unwrap();
    events.wait(1).await;
    assert_eq!(fs::read_to_string(in_the_way).unwrap().lines().count(), 1);
    finish(delivery).await;
}

#[tokio::test]
async fn a_sink_that_is_up_again_and_refuses_is_not_failing() {
    let seen = AtomicUsize::new(0);
    let server = Server::start(move |_| match seen.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Status(503),
        _ => Reply::Status(400),
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let events = Tracker::new();
    let delivery = start_in(state.path(), vec![fluentd(Config::new(server.url("/")))]);
    delivery.send(events.item(1)).await;
    let reason = failing_for(&delivery).await;
    assert!(reason.contains("503"), "{reason}");
    events.wait(1).await;
    let status = delivery.status();
    assert!(status[0].failing.is_none(), "{status:?}");
    finish(delivery).await;
}

#[tokio::test]
async fn without_a_state_folder_the_log_has_the_event() {
    let log = Log::capture();
    let server = Server::start(|_| Reply::Status(400)).await;
    let events = Tracker::new();
    let delivery = start(vec![fluentd(Config::new(server.url("/")))]);
    delivery.send(events.item(7)).await;
    events.wait(1).await;
    finish(delivery).await;
    assert!(log.lines("ERROR")[0].contains(&json(7)), "{:?}", log.lines("ERROR"));
}
