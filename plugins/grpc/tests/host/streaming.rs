//! Calls with a stream of answers.

use crate::server::{Server, grpc, message};
use crate::shop::{Order, Shop};
use crate::{Proxy, body, error, head, start};
use bytes::Bytes;
use fixtures::{Connection, get};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::Status;

#[allow(clippy::unnecessary_wraps)] // as streams have it
fn order(id: &str) -> Result<Order, Status> {
    Ok(Order { id: id.to_owned(), ..Order::default() })
}

/// The connection of a request for the stream, and its head.
pub(crate) fn watch(proxy: &Proxy, accept: &str) -> (Connection, String) {
    let mut connection = Connection::open(proxy.address());
    connection.send(head("GET", "/v1/orders:watch", &[("Accept", accept)], 0));
    let head = read_until(&mut connection, "\r\n\r\n");
    (connection, head.to_lowercase())
}

/// Reads until `end` has come, and not a byte more.
pub(crate) fn read_until(connection: &mut Connection, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        let mut byte = [0];
        connection.read_exact(&mut byte);
        read.extend(byte);
    }
    String::from_utf8(read).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_message_is_a_line() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({}));
    let reply = proxy.post("/shop.Orders/Watch", r#"{"count": 3}"#);
    assert_eq!((reply.status, reply.complete), (200, true));
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(reply.header("content-length"), None);
    let numbers = [0, 1, 2].map(|number| json!({"counts": {"number": number}}));
    assert_eq!(lines(reply.text()), numbers);
    assert!(!server.seen()[0].1.contains_key("grpc-timeout"));
    let none = get(proxy.address(), "/v1/orders:watch?count=0", &[]);
    assert_eq!((none.status, none.text(), none.complete), (200, "", true));
}

#[test]
fn each_message_is_an_event_for_who_accepts_them() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({}));
    let headers = [("Accept", "text/event-stream")];
    let reply = get(proxy.address(), "/v1/orders:watch?count=2", &headers);
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
    let expected = "data: {\"counts\":{\"number\":0}}\n\ndata: {\"counts\":{\"number\":1}}\n\n";
    assert_eq!((reply.text(), reply.complete), (expected, true));
}

/// Each message is sent when the one before has come out: nothing is held back.
#[test]
fn messages_arrive_as_they_are_sent() {
    let shop = Shop::default();
    let (server, orders) = (shop.server(), shop.orders());
    let proxy = start(&server, json!({}));
    let (mut connection, head) = watch(&proxy, "*/*");
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    for id in ["first", "second", "third"] {
        orders.send(order(id)).unwrap();
        let line = read_until(&mut connection, "\n\r\n");
        assert!(line.contains(&format!("{{\"id\":\"{id}\"}}\n")), "{line}");
    }
    drop(orders);
    assert_eq!(read_until(&mut connection, "0\r\n\r\n"), "0\r\n\r\n");
}

#[test]
fn a_call_that_fails_before_its_first_message_has_an_http_status() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({}));
    let reply = get(proxy.address(), "/v1/orders:watch?count=-1", &[]);
    assert_eq!(body(&reply, 400), error(3, "count is negative"));
}

#[test]
fn a_failure_in_between_is_told_and_the_answer_is_not_whole() {
    let shop = Shop::default();
    let server = shop.server();
    let proxy = start(&server, json!({}));
    let ask = |accept: &str| {
        let orders = shop.orders();
        orders.send(order("1")).unwrap();
        orders.send(Err(Status::aborted("sold out"))).unwrap();
        get(proxy.address(), "/v1/orders:watch", &[("Accept", accept)])
    };
    let reply = ask("application/x-ndjson");
    assert_eq!((reply.status, reply.complete), (200, false));
    let failure = json!({"error": error(10, "sold out")});
    assert_eq!(lines(reply.text()), [json!({"id": "1"}), failure]);

    let reply = ask("text/event-stream");
    assert!(!reply.complete);
    let (first, last) = reply.text().split_once("\n\n").unwrap();
    let last = last.strip_prefix("event: error\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
    assert_eq!(first, "data: {\"id\":\"1\"}");
    assert_eq!(serde_json::from_str::<Value>(last).unwrap(), error(10, "sold out"));
    proxy.host.wait_for_log("/shop.Orders/Watch ended with ABORTED");
}

/// HTTP/2 resets a stream in front of what waits to be sent: it must have been sent before.
#[test]
fn a_failure_is_told_over_http2_too() {
    let shop = Shop::default();
    let (server, orders) = (shop.server(), shop.orders());
    let proxy = start(&server, json!({}));
    orders.send(order("1")).unwrap();
    orders.send(Err(Status::aborted("sold out"))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (text, reset) = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(proxy.address()).await.unwrap();
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (mut client, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("http://a/v1/orders:watch").body(Empty::<Bytes>::new());
        let mut body = client.send_request(request.unwrap()).await.unwrap().into_body();
        let mut text = Vec::new();
        loop {
            match body.frame().await {
                Some(Ok(frame)) => text.extend(frame.into_data().unwrap()),
                other => return (String::from_utf8(text).unwrap(), other.is_some()),
            }
        }
    });
    assert!(reset, "the stream should not end as if it were whole");
    let failure = json!({"error": error(10, "sold out")});
    assert_eq!(lines(&text), [json!({"id": "1"}), failure]);
}

#[test]
fn the_service_hears_of_a_client_that_has_gone() {
    let (shop, dropped) = Shop::watched();
    let (server, orders) = (shop.server(), shop.orders());
    let proxy = start(&server, json!({}));
    let (mut connection, _) = watch(&proxy, "*/*");
    orders.send(order("1")).unwrap();
    read_until(&mut connection, "\n\r\n");
    drop(connection);
    assert_eq!(dropped.next(), "watch");
}

#[test]
fn a_stream_may_have_a_deadline() {
    let (shop, dropped) = Shop::watched();
    let (server, orders) = (shop.server(), shop.orders());
    let proxy = start(&server, json!({"stream_timeout": "300ms"}));
    orders.send(order("1")).unwrap();
    let reply = get(proxy.address(), "/v1/orders:watch", &[]);
    assert!(!reply.complete);
    let failure = json!({"error": error(4, "the service took too long")});
    assert_eq!(lines(reply.text()), [json!({"id": "1"}), failure]);
    assert_eq!(dropped.next(), "watch");
    assert_eq!(server.seen()[0].1["grpc-timeout"], "300000u");
}

/// As many messages as are asked for.
struct Endless {
    message: Bytes,
    sent: Arc<AtomicUsize>,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.sent.fetch_add(self.message.len(), Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(self.message.clone()))))
    }
}

#[test]
fn no_more_is_asked_of_the_service_than_the_client_takes() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let message = message(&Order { raw: vec![0; 64 << 10], ..Order::default() });
    let server = Server::start(move |_| {
        let body = Endless { message: message.clone(), sent: counted.clone() };
        async { grpc(body.boxed_unsync()) }
    });
    let proxy = start(&server, json!({}));
    let (_connection, _) = watch(&proxy, "*/*");
    // Until the service is asked for nothing more for a while.
    let mut before = usize::MAX;
    while before != sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        assert!(before < 64 << 20, "{before} bytes went to a client that reads none");
        #[allow(clippy::disallowed_methods)] // that nothing is asked for is what is waited for
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(before > 0);
}
