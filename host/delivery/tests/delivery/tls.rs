//! Sinks behind TLS that know their clients by a certificate.

use crate::kit::{
    Certificates, PATIENCE, Reply, Server, Tracker, certificates, failing_for, finish, fluentd,
    metric, start,
};
use host_delivery::sink::fluentd::Config;
use host_delivery::{Outlet, Retry};
use http::Version;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn config(server: &Server, certificates: &Certificates) -> Config {
    Config {
        ca: Some(certificates.path("ca.pem")),
        cert: Some(certificates.path("client.pem")),
        key: Some(certificates.path("client.key")),
        ..Config::new(server.url("/events"))
    }
}

async fn deliver(alpn: &[&str]) -> Server {
    let certificates = certificates();
    let server =
        Server::over(Some(certificates.server(alpn)), |_| Reply::After(Duration::from_millis(2)))
            .await;
    let events = Tracker::new();
    let delivery = start(vec![fluentd(config(&server, &certificates))]);
    for number in 0..100 {
        delivery.send(events.item(number)).await;
    }
    events.wait(100).await;
    finish(delivery).await;
    server
}

#[tokio::test]
async fn http_1_over_tls_has_a_connection_for_each_request_under_way() {
    for alpn in [&["http/1.1"][..], &[]] {
        let mut server = deliver(alpn).await;
        assert!(server.so_far().iter().all(|request| request.version == Version::HTTP_11));
        assert_eq!(server.all_connections(), 10);
    }
}

#[tokio::test]
async fn http_2_is_taken_when_offered_and_has_one_connection() {
    let mut server = deliver(&["h2", "http/1.1"]).await;
    let requests = server.so_far();
    assert_eq!(requests.len(), 100);
    assert!(requests.iter().all(|request| request.version == Version::HTTP_2));
    assert!(requests.iter().all(|request| request.path == "/events"));
    assert_eq!((server.all_connections(), server.most_requests()), (1, 10));
}

/// Takes requests over HTTP/2, but for the one with this number.
async fn server_but_for(
    certificates: &Certificates,
    number: usize,
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> Server {
    let seen = AtomicUsize::new(0);
    Server::over(Some(certificates.server(&["h2"])), move |_| {
        match seen.fetch_add(1, Ordering::SeqCst) == number {
            true => reply(),
            false => Reply::Status(200),
        }
    })
    .await
}

#[tokio::test]
async fn a_http_2_connection_that_ends_is_made_anew_at_once() {
    let certificates = certificates();
    let mut server = server_but_for(&certificates, 2, || Reply::End).await;
    let config = Config { max_connections: 1, ..config(&server, &certificates) };
    let delivery = start(vec![fluentd(config)]);
    let events = Tracker::new();
    for number in 0..20 {
        delivery.send(events.item(number)).await;
    }
    events.wait(20).await;
    assert_eq!(metric(&delivery, "tenon_sink_retries_total", "fluentd"), 0);
    finish(delivery).await;
    assert_eq!((server.all_connections(), server.so_far().len()), (2, 21));
}

#[tokio::test]
async fn all_that_was_under_way_over_one_that_ends_shares_the_next() {
    let certificates = certificates();
    let server = server_but_for(&certificates, 25, || Reply::End).await;
    let delivery = start(vec![fluentd(config(&server, &certificates))]);
    let events = Tracker::new();
    for number in 0..100 {
        delivery.send(events.item(number)).await;
    }
    events.wait(100).await;
    finish(delivery).await;
    assert_eq!(server.all_connections(), 2);
}

#[tokio::test]
async fn a_http_2_connection_without_life_is_made_anew() {
    let certificates = certificates();
    let server = server_but_for(&certificates, 2, || Reply::Silence).await;
    let config = Config {
        max_connections: 1,
        timeout: Duration::from_secs(1),
        ..config(&server, &certificates)
    };
    let delivery = start(vec![fluentd(config)]);
    let events = Tracker::new();
    for number in 0..20 {
        delivery.send(events.item(number)).await;
    }
    events.wait(20).await;
    finish(delivery).await;
    assert_eq!(server.all_connections(), 2);
}

#[tokio::test]
async fn a_server_that_resets_every_http_2_request_is_not_flooded() {
    let certificates = certificates();
    let seen = AtomicUsize::new(0);
    let mut server = Server::over(Some(certificates.server(&["h2"])), move |_| {
        match seen.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::Status(200),
            _ => Reply::Reset,
        }
    })
    .await;
    // Once it has failed it is left alone for longer than this test takes.
    let retry = Retry { least: PATIENCE * 10, most: PATIENCE * 10 };
    let delivery = start(vec![Outlet { retry, ..fluentd(config(&server, &certificates)) }]);
    let events = Tracker::new();
    delivery.send(events.item(1)).await;
    events.wait(1).await;
    delivery.send(events.item(2)).await;
    let reason = failing_for(&delivery).await;
    // Over the connection that was kept, and once more: it might have been about to end.
    assert_eq!((server.all_connections(), server.so_far().len()), (1, 3), "{reason}");
    assert!(reason.contains("the connection broke off"), "{reason}");
    assert_eq!(events.done(), 1);
}

/// What is said of a sink that cannot be delivered to with this configuration.
async fn problem(change: impl FnOnce(&mut Config, &Certificates)) -> String {
    let certificates = certificates();
    let server = Server::over(Some(certificates.server(&[])), |_| Reply::Status(200)).await;
    let mut config = config(&server, &certificates);
    change(&mut config, &certificates);
    let events = Tracker::new();
    let delivery = start(vec![fluentd(config)]);
    delivery.send(events.item(1)).await;
    let reason = failing_for(&delivery).await;
    assert_eq!(events.done(), 0);
    reason
}

#[tokio::test]
async fn without_a_certificate_of_ours_nothing_is_delivered() {
    let reason = problem(|config, _| (config.cert, config.key) = (None, None)).await;
    assert!(reason.contains("CertificateRequired"), "{reason}");
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_trusted() {
    let other = certificates();
    let reason = problem(|config, _| config.ca = Some(other.path("ca.pem"))).await;
    assert!(reason.contains("TLS failed: invalid peer certificate"), "{reason}");
}

#[tokio::test]
async fn a_server_with_another_name_is_not_trusted() {
    let reason =
        problem(|config, _| config.url = config.url.replace("127.0.0.1", "localhost")).await;
    assert!(reason.contains("not valid for name"), "{reason}");
}
