//! Peers that are bare sockets, for what a well-behaved one would not do.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Longer than anything here may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// An upstream that serves each connection as `serve` does, on a thread of its own.
pub(crate) fn upstream(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(limited(stream)));
        }
    });
    format!("http://{address}")
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    limited(TcpStream::connect(address).unwrap())
}

fn limited(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads a head with the empty line behind it; none if the connection ends before.
pub(crate) fn head(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// The same, if what it says does not matter.
pub(crate) fn skip_head(stream: &mut TcpStream) -> bool {
    head(stream).is_some()
}

/// Waits until the other side ends the connection, whatever it sends before.
pub(crate) fn wait_for_end(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
}

/// The pace of a slow peer; nothing waits for it.
#[allow(clippy::disallowed_methods)]
pub(crate) fn pause(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}
