//! Bodies pass as they come, in both directions, and no faster than they are taken.

use crate::raw::{self, skip_head, wait_for_end};
use crate::{memory, proxy_to};
use fixtures::{Host, library};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// With plugins that look at requests and rewrite the bodies of responses.
fn with_plugins(target: &str) -> Host {
    let transform = r#"={"replace": [{"from": "http://internal", "to": "https://example"}]}"#;
    let transform = format!("{}{transform}", library("transform-plugin").display());
    let (pre, post) = (library("pre-plugin"), library("post-plugin"));
    let (pre, post) = (pre.to_str().unwrap(), post.to_str().unwrap());
    let plugins = ["--pre-plugin", pre, "--post-plugin", post, "--post-plugin", &transform];
    proxy_to(target, &plugins)
}

/// Reads until `end` has come, and not a byte more.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(end) {
        let came = stream.read(&mut byte).expect("more should come");
        assert_eq!(came, 1, "the end after {:?}", String::from_utf8_lossy(&read));
        read.push(byte[0]);
    }
    read
}

#[test]
fn each_side_hears_the_other_before_either_has_ended() {
    let parrot = raw::upstream(|mut stream| {
        skip_head(&mut stream);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked";
        let _ = write!(stream, "{head}\r\n\r\n");
        // The pieces in which the client sends, each with its chunk's size before it.
        for _ in 0..3 {
            let chunk = read_until(&mut stream, b"!\r\n");
            let _ = stream.write_all(&chunk);
        }
        read_until(&mut stream, b"0\r\n\r\n");
        let _ = stream.write_all(b"0\r\n\r\n");
    });
    for host in [proxy_to(&parrot, &[]), with_plugins(&parrot)] {
        let mut socket = raw::connect(host.address());
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        socket.write_all(head.as_bytes()).unwrap();
        for word in ["first!", "then!", "last!"] {
            write!(socket, "{:x}\r\n{word}\r\n", word.len()).unwrap();
            read_until(&mut socket, word.as_bytes());
        }
        socket.write_all(b"0\r\n\r\n").unwrap();
        read_until(&mut socket, b"0\r\n\r\n");
    }
}

const MIB: usize = 1 << 20;
/// Larger than the buffers of four sockets can grow.
const BODY: usize = 96 * MIB;
const PIECE: usize = 16384;

/// Writes until nothing more is taken; returns how much was.
fn fill(stream: &mut TcpStream) -> usize {
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut written = 0;
    while written < BODY {
        match stream.write(&[b'a'; PIECE]) {
            Ok(some) => written += some,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("after {written} bytes: {error}"),
        }
    }
    stream.set_write_timeout(Some(raw::LIMIT)).unwrap();
    written
}

/// Writes the rest of a body.
fn finish(stream: &mut TcpStream, written: usize) -> std::io::Result<()> {
    let mut left = BODY - written;
    while left > 0 {
        let piece = left.min(PIECE);
        stream.write_all(&[b'a'; PIECE][..piece])?;
        left -= piece;
    }
    Ok(())
}

/// Reads a body of that size to its end, or to where it ends before; returns how long it was.
fn count(stream: &mut TcpStream) -> u64 {
    std::io::copy(&mut stream.take(BODY as u64), &mut std::io::sink()).unwrap()
}

#[test]
fn a_client_sends_no_faster_than_the_upstream_reads() {
    let (go, may_go) = mpsc::channel();
    let may_go = Arc::new(Mutex::new(may_go));
    let late = raw::upstream(move |mut stream| {
        skip_head(&mut stream);
        let _ = may_go.lock().unwrap().recv();
        let read = count(&mut stream);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{read:09}");
        wait_for_end(&mut stream);
    });
    let host = with_plugins(&late);
    let before = memory::peak(&host);
    let mut socket = raw::connect(host.address());
    write!(socket, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY}\r\n\r\n").unwrap();
    let written = fill(&mut socket);
    assert!(written < BODY, "nobody reads, and yet all was taken");
    memory::assert_constant(&host, before);
    go.send(()).unwrap();
    finish(&mut socket, written).unwrap();
    let answer = read_until(&mut socket, format!("{BODY:09}").as_bytes());
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    memory::assert_constant(&host, before);
}

#[test]
fn an_upstream_sends_no_faster_than_the_client_reads() {
    let (full, is_full) = mpsc::channel();
    let fast = raw::upstream(move |mut stream| {
        skip_head(&mut stream);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length:";
        let _ = write!(stream, "{head} {BODY}\r\n\r\n");
        let written = fill(&mut stream);
        let _ = full.send(written);
        let _ = finish(&mut stream, written);
        wait_for_end(&mut stream);
    });
    // Nothing that rewrites: the length stays, and the body is easy to count.
    let host = proxy_to(&fast, &[]);
    let before = memory::peak(&host);
    let mut socket = raw::connect(host.address());
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let written = is_full.recv_timeout(3 * raw::LIMIT).unwrap();
    assert!(written < BODY, "nobody reads, and yet all was taken");
    memory::assert_constant(&host, before);
    assert!(skip_head(&mut socket));
    assert_eq!(count(&mut socket), BODY as u64);
    memory::assert_constant(&host, before);
}
