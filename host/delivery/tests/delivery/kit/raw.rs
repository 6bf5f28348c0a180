//! A server that sends a test's bytes.

use super::soon;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Takes one connection after another, as the test says.
pub(crate) struct Raw {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Raw {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) async fn accept(&self) -> TcpStream {
        soon("a connection", self.listener.accept()).await.unwrap().0
    }
}

/// Reads an HTTP request with a JSON body, to its end; returns the body.
pub(crate) async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    while !text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.ends_with(['}', ']'])) {
        let count = soon("a request", stream.read(&mut bytes)).await.unwrap();
        assert!(count > 0, "it ended after {text:?}");
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Sends bytes, and then a reset.
pub(crate) async fn send_and_reset(mut stream: TcpStream, bytes: &str) {
    stream.write_all(bytes.as_bytes()).await.unwrap();
    reset(stream);
}

/// Ends the connection with a reset.
pub(crate) fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}
