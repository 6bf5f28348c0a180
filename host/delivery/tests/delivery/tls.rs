//! Sinks behind TLS that know their clients by a certificate.

use crate::kit::{
    Certificates, Reply, Server, Tracker, certificates, failing_for, finish, fluentd, start,
};
use host_delivery::sink::fluentd::Config;
use http::Version;
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

#[tokio::test]
async fn a_http_2_connection_that_ends_is_made_anew() {
    let certificates = certificates();
    let seen = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::over(Some(certificates.server(&["h2"])), move |_| {
        match seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0..3 => Reply::Silence,
            3..6 => Reply::Reset,
            _ => Reply::Status(200),
        }
    })
    .await;
    let events = Tracker::new();
    let timeout = Duration::from_millis(100);
    let delivery = start(vec![fluentd(Config { timeout, ..config(&server, &certificates) })]);
    for number in 0..20 {
        delivery.send(events.item(number)).await;
    }
    events.wait(20).await;
    finish(delivery).await;
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
