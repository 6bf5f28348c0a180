//! gRPC passes through: HTTP/2 on both sides without being told, messages as they come, and the
//! status in the trailers.

use crate::h2::{self, AnyBody, Frames};
use bytes::Bytes;
use fixtures::Host;
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc::{self, UnboundedReceiver};

/// A message with its length in front, as gRPC frames it.
fn message(text: &str) -> Bytes {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[0], &length[..], text.as_bytes()].concat().into()
}

fn status(code: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse().unwrap());
    trailers
}

fn call(path: &str, body: AnyBody) -> Request<AnyBody> {
    let request = Request::post(format!("http://tenon.test{path}")).header("te", "trailers");
    request.header("content-type", "application/grpc").body(body).unwrap()
}

fn grpc(body: AnyBody) -> Response<AnyBody> {
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

/// Answers each message with itself, and then with the status 0.
async fn echo(mut request: Request<Incoming>) -> Response<AnyBody> {
    let (sender, body) = Frames::channel();
    tokio::spawn(async move {
        while let Some(Ok(frame)) = request.frame().await {
            if frame.is_data() && sender.send(frame).is_err() {
                return;
            }
        }
        let _ = sender.send(Frame::trailers(status("0")));
    });
    grpc(body)
}

#[test]
fn a_call_gets_its_answer_and_its_status() {
    let upstream = h2::Upstream::start(echo);
    let host = Host::start(&["--target", &upstream.url("http")]);
    h2::run(async {
        let mut client = h2::connect(host.address()).await;
        let (sender, body) = Frames::channel();
        sender.send(Frame::data(message("hello"))).unwrap();
        drop(sender);
        let response = client.send_request(call("/test.Echo/Unary", body)).await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/grpc");
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers(), Some(&status("0")));
        assert_eq!(body.to_bytes(), message("hello"));
    });
    let (version, headers) = &upstream.seen()[0];
    assert_eq!((*version, &headers["te"]), (Version::HTTP_2, &"trailers".parse().unwrap()));
}

/// The second message is sent when the first has come back: nothing is held back on the way.
#[test]
fn messages_of_a_stream_arrive_as_they_are_sent() {
    let upstream = h2::Upstream::start(echo);
    let host = Host::start(&["--target", &upstream.url("http")]);
    h2::run(async {
        let mut client = h2::connect(host.address()).await;
        let (sender, body) = Frames::channel();
        let mut response = client.send_request(call("/test.Echo/Bidi", body)).await.unwrap();
        for text in ["one", "two", "three"] {
            sender.send(Frame::data(message(text))).unwrap();
            let frame = response.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), message(text));
        }
        drop(sender);
        let frame = response.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_trailers().unwrap(), status("0"));
        assert!(response.frame().await.is_none());
    });
}

#[test]
fn a_server_streams_before_its_status_is_known() {
    type Turns = Arc<Mutex<Option<UnboundedReceiver<&'static str>>>>;
    let (turn, turns) = mpsc::unbounded_channel();
    let turns: Turns = Arc::new(Mutex::new(Some(turns)));
    let upstream = h2::Upstream::start(move |_| {
        let mut turns = turns.lock().unwrap().take().unwrap();
        async move {
            let (sender, body) = Frames::channel();
            tokio::spawn(async move {
                while let Some(text) = turns.recv().await {
                    sender.send(Frame::data(message(text))).unwrap();
                }
                sender.send(Frame::trailers(status("14"))).unwrap();
            });
            grpc(body)
        }
    });
    let host = Host::start(&["--target", &upstream.url("http")]);
    h2::run(async {
        let mut client = h2::connect(host.address()).await;
        let request = call("/test.Server/Stream", h2::empty());
        let mut response = client.send_request(request).await.unwrap();
        for text in ["first", "second"] {
            turn.send(text).unwrap();
            let frame = response.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), message(text));
        }
        drop(turn);
        let frame = response.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_trailers().unwrap(), status("14"));
    });
}

/// A call that fails at once has its status in the headers, and no trailers.
#[test]
fn a_status_without_an_answer_passes_too() {
    let upstream = h2::Upstream::start(|_| async {
        let mut response = grpc(h2::empty());
        response.headers_mut().extend(status("12"));
        response
    });
    let host = Host::start(&["--target", &upstream.url("http")]);
    h2::run(async {
        let mut client = h2::connect(host.address()).await;
        let request = call("/test.None/None", h2::empty());
        let response = client.send_request(request).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "12");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
    });
}
