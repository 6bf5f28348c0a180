//! Events that come twice.

use crate::kit::{Reply, Server, Tracker, finish, fluentd, metric, numbers, start, start_in};
use host_delivery::sink::fluentd::Config;
use host_delivery::{Delivery, Outlet};

/// Sends these numbers to a server that takes all, and says what arrived. Each is done, once or twice.
async fn arrived(server: &mut Server, delivery: Delivery, sent: &[usize]) -> Vec<usize> {
    for number in sent {
        // A tracker each: an event that comes twice is done twice.
        let events = Tracker::new();
        delivery.send(events.item(*number)).await;
        events.wait(1).await;
    }
    finish(delivery).await;
    server.so_far().iter().flat_map(|request| numbers(&request.body)).collect()
}

#[tokio::test]
async fn they_arrive_twice_unless_asked() {
    let mut server = Server::start(|_| Reply::Status(200)).await;
    let delivery = start(vec![fluentd(Config::new(server.url("/")))]);
    assert_eq!(arrived(&mut server, delivery, &[1, 2, 1, 1]).await, [1, 2, 1, 1]);
}

#[tokio::test]
async fn the_last_n_are_known_also_after_a_restart() {
    let mut server = Server::start(|_| Reply::Status(200)).await;
    let state = tempfile::tempdir().unwrap();
    let outlet = |server: &Server| Outlet { dedupe: 3, ..fluentd(Config::new(server.url("/"))) };
    let delivery = start_in(state.path(), vec![outlet(&server)]);
    assert_eq!(arrived(&mut server, delivery, &[1, 2, 1, 3, 4, 1]).await, [1, 2, 3, 4, 1]);
    let delivery = start_in(state.path(), vec![outlet(&server)]);
    assert_eq!(arrived(&mut server, delivery, &[4, 3, 5, 5]).await, [5]);
}

#[tokio::test]
async fn one_that_comes_while_the_first_is_on_its_way_is_dropped_and_counted() {
    let mut server = Server::start(|_| Reply::Status(200)).await;
    let delivery = start(vec![Outlet { dedupe: 10, ..fluentd(Config::new(server.url("/"))) }]);
    let (first, second) = (Tracker::new(), Tracker::new());
    delivery.send(first.item(1)).await;
    delivery.send(second.item(1)).await;
    first.wait(1).await;
    second.wait(1).await;
    assert_eq!(metric(&delivery, "tenon_sink_duplicates_total", "fluentd"), 1);
    finish(delivery).await;
    assert_eq!(server.so_far().len(), 1);
}

#[tokio::test]
async fn an_event_of_the_log_and_of_a_recording_are_two_and_one_without_a_uid_is_itself() {
    let mut server = Server::start(|_| Reply::Status(200)).await;
    let delivery = start(vec![Outlet { dedupe: 10, ..fluentd(Config::new(server.url("/"))) }]);
    let events = Tracker::new();
    delivery.send(events.item(1)).await;
    let mut of_a_recording = Tracker::new().item(1);
    of_a_recording.session = Some("s".into());
    delivery.send(of_a_recording).await;
    for _ in 0..2 {
        delivery.send(Tracker::new().item_of("", "{}")).await;
    }
    finish(delivery).await;
    assert_eq!(server.so_far().len(), 4);
}
