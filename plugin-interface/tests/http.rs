//! Conversions to and from the types of the `http` crates lose nothing and copy no body.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails loudly

#[path = "in_process/state.rs"]
#[allow(dead_code)] // it serves other tests, too
mod state;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body as _;
use plugin_interface::http::{HttpBody, header_map, headers};
use plugin_interface::{Body, BodyStream, Chunk, Error, Exchange, Frame, Header, Response, Result};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

struct Frames(VecDeque<Result<Frame>>);

impl BodyStream for Frames {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        Poll::Ready(self.0.pop_front())
    }
}

fn field(name: &str, value: &[u8]) -> Header {
    Header { name: name.into(), value: value.into() }
}

fn next<B: http_body::Body + Unpin>(
    body: &mut B,
) -> Option<std::result::Result<http_body::Frame<B::Data>, B::Error>> {
    match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(frame) => frame,
        Poll::Pending => panic!("nothing here waits"),
    }
}

#[test]
fn a_body_of_the_interface_is_one_of_http() {
    let buffer = vec![1_u8; 32];
    let address = buffer.as_ptr();
    let mut body = HttpBody::from(Body::from_owner(buffer));
    assert_eq!(body.size_hint().exact(), Some(32));
    let data = next(&mut body).unwrap().unwrap().into_data().unwrap();
    assert_eq!((data.as_ptr(), data.len()), (address, 32), "not copied");
    assert!(next(&mut body).is_none());

    let trailers = vec![field("X-A", b"1"), field("x-a", &[0xff])];
    let frames = [
        Ok(Frame::Data(Chunk::from_owner("a"))),
        Ok(Frame::Trailers(trailers.into())),
        Err(Error::new("broken off")),
        Ok(Frame::Trailers(vec![field("a b", b"1")].into())),
    ];
    let mut body = HttpBody::from(Body::new(Frames(frames.into())));
    assert_eq!(body.size_hint().upper(), None);
    assert_eq!(next(&mut body).unwrap().unwrap().into_data().unwrap(), "a");
    let trailers = next(&mut body).unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers.get_all("x-a").iter().count(), 2);
    assert_eq!(next(&mut body).unwrap().err().unwrap().to_string(), "broken off");
    let error = next(&mut body).unwrap().err().unwrap().to_string();
    assert_eq!(error, "the header \"a b\" has a name that HTTP does not allow");
}

/// A body of the `http-body` crate with data, trailers and an error.
struct Foreign(VecDeque<std::result::Result<http_body::Frame<Bytes>, String>>);

impl http_body::Body for Foreign {
    type Data = Bytes;
    type Error = String;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<http_body::Frame<Bytes>, String>>> {
        Poll::Ready(self.0.pop_front())
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(3)
    }
}

#[test]
fn a_body_of_http_is_one_of_the_interface() {
    let data = Bytes::from(vec![b'a'; 3]);
    let address = data.as_ptr();
    let trailers = HeaderMap::from_iter([("x-a".parse().unwrap(), HeaderValue::from_static("1"))]);
    let frames = [
        Ok(http_body::Frame::data(data)),
        Ok(http_body::Frame::trailers(trailers)),
        Err("broken off".to_owned()),
    ];
    let mut body = Body::from_http(Foreign(frames.into()));
    assert_eq!(body.size_hint(), plugin_interface::SizeHint::exact(3));
    let mut next = || match body.poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(frame) => frame,
        Poll::Pending => panic!("nothing here waits"),
    };
    let Some(Ok(Frame::Data(chunk))) = next() else { panic!("no data") };
    assert_eq!((chunk.as_ref().as_ptr(), chunk.as_ref()), (address, &b"aaa"[..]), "not copied");
    let Some(Ok(Frame::Trailers(trailers))) = next() else { panic!("no trailers") };
    assert_eq!(trailers.as_slice(), [field("x-a", b"1")]);
    let Some(Err(error)) = next() else { panic!("no error") };
    assert_eq!(error.message(), "broken off");
    assert!(next().is_none());
}

#[test]
fn headers_keep_order_repetition_and_bytes() {
    let there = [field("x-a", b"1"), field("x-b", &[0xff]), field("x-a", b"2")];
    let map = header_map(&there).unwrap();
    assert_eq!(map.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(map["x-b"].as_bytes(), [0xff]);
    assert_eq!(header_map(&headers(&map)).unwrap(), map);
    let wrong = |header| header_map(&[header]).unwrap_err().message().to_owned();
    let name = "the header \"\" has a name that HTTP does not allow";
    assert_eq!(wrong(field("", b"1")), name);
    let value = "the header \"x-a\" has a value that HTTP does not allow";
    assert_eq!(wrong(field("x-a", b"1\r\nx-b: 2")), value);
}

#[test]
fn responses_go_both_ways() {
    let response = Response::text(201, "made").header("x-a", "1");
    let response = response.into_http().unwrap();
    assert_eq!(
        (response.status(), &response.headers()["x-a"]),
        (StatusCode::CREATED, &"1".parse().unwrap())
    );
    let mut back = Response::from_http(response).into_parts();
    assert_eq!((back.status, back.headers.len(), back.body.size_hint().lower), (201, 2, 4));
    assert!(Response::new(1000).into_http().is_err());
    assert!(Response::new(200).header("a b", "").into_http().is_err());
    // A body that cannot fail is fine as well.
    let empty = http::Response::new(Empty);
    assert_eq!(Response::from_http(empty).status(), 200);
}

struct Empty;

impl http_body::Body for Empty {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

#[test]
fn the_headers_of_an_exchange_are_copied_into_a_map() {
    let mut state = state::State::new();
    let map = Exchange::new(&mut state).headers();
    assert_eq!(map.get_all("accept").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(map.len(), 3);
}
