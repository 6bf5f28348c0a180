//! Services that do not do what gRPC says, and what their clients see.

use crate::server::{AnyBody, Frames, Server, grpc, message, trailers};
use crate::shop::{Order, Page, Shop};
use crate::streaming::{read_until, watch};
use crate::{body, error, start, start_with};
use bytes::Bytes;
use fixtures::{Connection, Reply, get};
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty};
use prost::Message;
use prost_types::Any;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const CALL: &str = "/shop.Orders/Get";
const STREAM: &str = "/v1/orders:watch";

fn nothing() -> AnyBody {
    Empty::new().map_err(io::Error::other).boxed_unsync()
}

#[allow(clippy::unnecessary_wraps)] // as streams have it
fn data(bytes: &[u8]) -> io::Result<Frame<Bytes>> {
    Ok(Frame::data(Bytes::copy_from_slice(bytes)))
}

fn order(id: &str) -> Bytes {
    message(&Order { id: id.to_owned(), ..Order::default() })
}

#[allow(clippy::unnecessary_wraps)] // as streams have it
fn ok() -> io::Result<Frame<Bytes>> {
    Ok(Frame::trailers(trailers("0")))
}

/// What a client sees of a service that answers so, at both paths.
fn seen(answer: impl Fn() -> Response<AnyBody> + Clone + Send + Sync + 'static) -> (Reply, Reply) {
    let server = Server::start(move |_| {
        let response = answer();
        async { response }
    });
    let proxy = start(&server, json!({}));
    let replies = (proxy.post(CALL, "{}"), get(proxy.address(), STREAM, &[]));
    assert!(proxy.host.is_running());
    replies
}

/// The error that is the whole body of the first, and the last line of the second.
fn errors((one, stream): &(Reply, Reply), status: u16) -> [Value; 2] {
    assert_eq!((stream.status, stream.complete), (200, false), "{stream:?}");
    let last = stream.text().lines().last().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    [body(one, status), last["error"].clone()]
}

#[test]
fn a_status_in_the_head_is_enough() {
    let answer = |code: &'static str| {
        seen(move || {
            let mut response = grpc(nothing());
            response.headers_mut().extend(trailers(code));
            response.headers_mut().insert("grpc-message", "no%20right".parse().unwrap());
            response
        })
    };
    let (one, stream) = answer("7");
    assert_eq!(body(&one, 403), error(7, "no right"));
    assert_eq!(body(&stream, 403), error(7, "no right"));
    // All is well with a stream of no messages, and not with a call that must have one.
    let (one, stream) = answer("0");
    assert_eq!(body(&one, 500), error(13, "the service ended the call without an answer"));
    assert_eq!((stream.status, stream.text(), stream.complete), (200, "", true));
}

#[test]
fn an_answer_that_is_not_grpc_is_no_answer() {
    for (status, http, code) in [
        (200, 500, 2),
        (400, 500, 13),
        (401, 401, 16),
        (404, 501, 12),
        (429, 503, 14),
        (503, 503, 14),
        (302, 500, 2),
    ] {
        let (one, stream) = seen(move || {
            let mut response = Response::new(nothing());
            *response.status_mut() = status.try_into().unwrap();
            response
        });
        let expected = error(code, "the service gave no gRPC answer");
        assert_eq!(body(&one, http), expected, "{status}");
        assert_eq!(body(&stream, http), expected, "{status}");
    }
}

#[test]
fn an_end_without_a_status_is_a_failure() {
    let replies = seen(|| grpc(Frames::of([data(&order("1"))])));
    let expected = error(13, "the service ended the call without a status");
    assert_eq!(errors(&replies, 500), [expected.clone(), expected]);
    let replies = seen(|| {
        let nothing = Ok(Frame::trailers(HeaderMap::from_iter([(
            http::HeaderName::from_static("x-a"),
            "b".parse().unwrap(),
        )])));
        grpc(Frames::of([data(&order("1")), nothing]))
    });
    let expected = error(13, "the service ended the call without a status");
    assert_eq!(errors(&replies, 500), [expected.clone(), expected]);
}

#[test]
fn malformed_frames_are_failures() {
    let flag = |flag: u8| {
        let mut bytes = order("1").to_vec();
        bytes[0] = flag;
        bytes
    };
    for (bytes, text, http, code) in [
        (flag(1), "the service has compressed a message, unasked", 500, 13),
        (flag(2), "the service has sent what is no gRPC message", 500, 13),
        (order("1")[..6].to_vec(), "the service ended the call within a message", 500, 13),
        (b"\0\0".to_vec(), "the service ended the call within a message", 500, 13),
        (
            b"\0\xff\xff\xff\xff".to_vec(),
            "a message of 4294967295 bytes; 4194304 are allowed",
            502,
            8,
        ),
        (
            b"\0\0\0\0\x02\x0a\x05".to_vec(),
            "the service's answer does not fit its description",
            500,
            13,
        ),
    ] {
        let sent = bytes.clone();
        let replies = seen(move || grpc(Frames::of([data(&sent), ok()])));
        assert_eq!(errors(&replies, http), [error(code, text), error(code, text)], "{bytes:?}");
    }
}

#[test]
fn two_answers_to_one_request_are_a_failure_and_no_stream_is() {
    let (one, stream) = seen(|| {
        // The second begins in the frame of the first.
        let both = [order("1"), order("2")].concat();
        let (first, rest) = both.split_at(10);
        grpc(Frames::of([data(first), data(rest), ok()]))
    });
    assert_eq!(body(&one, 500), error(13, "the service has given two answers to one request"));
    assert_eq!((stream.text(), stream.complete), ("{\"id\":\"1\"}\n{\"id\":\"2\"}\n", true));
}

#[test]
fn a_status_counts_more_than_an_answer() {
    let replies =
        seen(|| grpc(Frames::of([data(&order("1")), Ok(Frame::trailers(trailers("15")))])));
    assert_eq!(errors(&replies, 500), [error(15, ""), error(15, "")]);
}

/// A reset may overtake what was sent before it: so it waits until that has come out.
#[test]
fn a_call_that_is_reset_was_broken_off() {
    let (sender, body) = Frames::channel();
    let body = Mutex::new(Some(body));
    let body = Arc::new(body);
    let server = Server::start(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async { grpc(body) }
    });
    let proxy = start(&server, json!({}));
    sender.send(data(&order("1"))).unwrap();
    let (mut connection, _) = watch(&proxy, "*/*");
    read_until(&mut connection, "{\"id\":\"1\"}\n\r\n");
    sender.send(Err(io::Error::other("reset"))).unwrap();
    assert_eq!(last_error(&mut connection), error(14, "the service broke the call off"));
}

/// The error in the last line of a stream, which must be cut off after it.
fn last_error(connection: &mut Connection) -> Value {
    let chunk = read_until(connection, "\n\r\n");
    let last: Value = serde_json::from_str(chunk.lines().nth(1).unwrap()).unwrap();
    assert!(connection.is_closed(), "without the chunk that would end it");
    last["error"].clone()
}

#[test]
fn a_service_that_dies_breaks_its_calls_off() {
    let shop = Shop::default();
    let (mut server, orders) = (shop.server(), shop.orders());
    let proxy = start(&server, json!({}));
    orders.send(Ok(Order { id: "1".to_owned(), ..Order::default() })).unwrap();
    let (mut connection, _) = watch(&proxy, "*/*");
    read_until(&mut connection, "{\"id\":\"1\"}\n\r\n");
    server.kill();
    assert_eq!(last_error(&mut connection), error(14, "the service broke the call off"));

    let reply = proxy.post(CALL, "{}");
    assert_eq!(body(&reply, 503), error(14, "the service did not answer"));
    let line = proxy.host.wait_for_log("a call could not be made");
    assert!(line.contains("/shop.Orders/Get"), "{line}");
}

/// Reading begins anew in each `Any`, and so would writing, until the stack is used up.
#[test]
fn messages_nested_in_any_do_not_use_up_the_stack() {
    let nested = |times: usize| {
        let page = Page { page_size: 1 }.encode_to_vec();
        let mut any = Any { type_url: "type.googleapis.com/shop.Page".to_owned(), value: page };
        for _ in 0..times {
            let type_url = "a/google.protobuf.Any".to_owned();
            any = Any { type_url, value: any.encode_to_vec() };
        }
        message(&Order { extra: Some(any), ..Order::default() })
    };
    let (few, many) = (nested(90), nested(50_000));
    let (one, _) = seen(move || grpc(Frames::of([data(&few), ok()])));
    assert_eq!(one.status, 200, "{one:?}");
    let replies = seen(move || grpc(Frames::of([data(&many), ok()])));
    let expected = error(13, "the service's answer does not fit its description");
    assert_eq!(errors(&replies, 500), [expected.clone(), expected]);
}

#[test]
fn a_service_that_speaks_http1_only_gives_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.read_exact(&mut [0; 24]).unwrap(); // the preface of HTTP/2
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    let proxy = start_with(&origin, json!({}), &[]);
    let reply = proxy.post(CALL, "{}");
    assert_eq!(body(&reply, 503), error(14, "the service did not answer"));
}
