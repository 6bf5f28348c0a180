//! Messages to a syslog server.

use crate::kit::{
    Certificates, Raw, Tracker, certificates, finish, json, outlet, reset, soon, start,
};
use host_delivery::Delivery;
use host_delivery::config::Kind;
use host_delivery::sink::syslog::Config;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_rustls::TlsAcceptor;

fn syslog(config: Config) -> Delivery {
    start(vec![outlet(Kind::Syslog(config))])
}

/// Reads a message as RFC 6587 counts it: its length, a space, and so many bytes.
async fn message(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut length = 0;
    loop {
        match soon("a message", stream.read_u8()).await.unwrap() {
            b' ' => break,
            digit => length = length * 10 + usize::from(digit - b'0'),
        }
    }
    let mut message = vec![0; length];
    soon("a whole message", stream.read_exact(&mut message)).await.unwrap();
    String::from_utf8(message).unwrap()
}

fn expected(number: usize) -> String {
    let json = json(number);
    let pid = std::process::id();
    format!(
        "<110>1 2024-02-23T19:00:22.473Z - teleport {pid} user.login \
         [teleport@32473 uid=\"{number}\" type=\"user.login\"] {json}"
    )
}

#[tokio::test]
async fn messages_are_counted_and_in_order() {
    let server = Raw::start().await;
    let delivery = syslog(Config::new(server.address.to_string()));
    let events = Tracker::new();
    for number in 0..50 {
        delivery.send(events.item(number)).await;
    }
    let mut stream = server.accept().await;
    for number in 0..50 {
        assert_eq!(message(&mut stream).await, expected(number));
    }
    events.wait(50).await;
    finish(delivery).await;
}

#[tokio::test]
async fn what_a_broken_connection_may_have_lost_is_written_again_before_the_rest() {
    let server = Raw::start().await;
    let config = Config { resend: 3, ..Config::new(server.address.to_string()) };
    let delivery = syslog(config);
    let events = Tracker::new();
    for number in 0..5 {
        delivery.send(events.item(number)).await;
    }
    events.wait(5).await; // the kernel has them, and the server will read none
    reset(server.accept().await);
    // Until the reset is noticed an event may be written to nobody; it comes again as well.
    let mut stream = tokio::select! {
        stream = server.accept() => stream,
        () = async {
            for number in 5.. {
                delivery.send(events.item(number)).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        } => unreachable!(),
    };
    let mut came = Vec::new();
    while came.last().is_none_or(|last: &String| !last.contains("uid=\"5\"")) {
        came.push(message(&mut stream).await);
    }
    let again: Vec<_> = (5 - (came.len() - 1)..=5).map(expected).collect();
    assert_eq!(came, again);
    assert!((3..=4).contains(&came.len()), "{came:?}");
}

#[tokio::test]
async fn a_server_that_does_not_read_does_not_hang_it() {
    let server = Raw::start().await;
    let timeout = Duration::from_secs(2);
    let delivery = syslog(Config { timeout, ..Config::new(server.address.to_string()) });
    let events = Tracker::new();
    let long = format!(r#"{{"uid":"1","text":"{}"}}"#, "x".repeat(8_000_000));
    delivery.send(events.item_of("1", &long)).await;
    let _unread = server.accept().await;
    let mut read = server.accept().await; // after the timeout
    let reason = delivery.status().remove(0).failing.unwrap().1;
    assert!(reason.contains("has not taken messages for 2s"), "{reason}");
    let text = message(&mut read).await;
    assert!(text.ends_with(&long[long.len() - 20..]));
    events.wait(1).await;
    finish(delivery).await;
}

#[tokio::test]
async fn over_tls_with_a_certificate_of_ours() {
    let certificates: Certificates = certificates();
    let server = Raw::start().await;
    let delivery = syslog(Config {
        ca: Some(certificates.path("ca.pem")),
        cert: Some(certificates.path("client.pem")),
        key: Some(certificates.path("client.key")),
        ..Config::new(server.address.to_string())
    });
    let events = Tracker::new();
    delivery.send(events.item(1)).await;
    let acceptor = TlsAcceptor::from(Arc::clone(&certificates.server(&[])));
    let mut stream = acceptor.accept(server.accept().await).await.unwrap();
    assert_eq!(message(&mut stream).await, expected(1));
    events.wait(1).await;
    finish(delivery).await;
}
