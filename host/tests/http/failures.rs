//! Upstreams that fail, each in its own way: what the client sees of it, and the log.

use crate::raw::{self, skip_head, wait_for_end};
use crate::{proxy, proxy_to};
use fixtures::{Host, Reply, Upstream, get};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// An answer of the host's own: a status, and not a word of why.
fn assert_tells_nothing(reply: &Reply, status: u16) {
    let page = format!("{status} {}\n", reply.reason);
    assert_eq!((reply.status, reply.text(), reply.complete), (status, page.as_str(), true));
    let names: Vec<_> = reply.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    let usual = ["content-type", "content-length", "date", "x-content-type-options"];
    assert!(names.iter().all(|name| usual.contains(&name.as_str())), "{names:?}");
}

fn fails(host: &Host, status: u16, log: &str) {
    assert_tells_nothing(&get(host.address(), "/secret?token=1", &[]), status);
    let line = host.wait_for_log(log);
    assert!(line.contains("ERROR") && line.contains(&status.to_string()), "{line}");
    assert!(!line.contains("token=1"), "a query may hold a secret: {line}");
}

#[test]
fn nobody_listens() {
    let gone = Upstream::echo().url();
    let host = proxy_to(&gone, &[]);
    fails(&host, 502, &format!("cannot connect to the upstream {gone}: "));
    host.wait_for_log("Connection refused");
}

#[test]
fn the_host_has_no_address() {
    let host = proxy_to("http://nowhere.invalid", &[]);
    fails(&host, 502, "cannot connect to the upstream http://nowhere.invalid: ");
}

/// A port whose queue of connections is full: the system answers nobody any more.
fn full_queue() -> (SocketAddr, Vec<TcpStream>, TcpListener) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let listener = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        socket.listen(0).unwrap().into_std().unwrap()
    });
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue should be full");
    }
    (address, waiting, listener)
}

#[test]
fn nobody_takes_the_connection() {
    let (address, _waiting, _listener) = full_queue();
    let host = proxy_to(&format!("http://{address}"), &["--connect-timeout", "300ms"]);
    fails(&host, 504, "did not take the connection in time");
}

#[test]
fn no_answer_comes() {
    let silent = raw::upstream(|mut stream| wait_for_end(&mut stream));
    let host = proxy_to(&silent, &["--idle-timeout", "300ms"]);
    fails(&host, 504, &format!("the upstream {silent} has not answered within 300ms"));
}

#[test]
fn no_answer_comes_in_the_time_of_the_request() {
    let silent = raw::upstream(|mut stream| wait_for_end(&mut stream));
    let host = proxy_to(&silent, &["--request-timeout", "300ms"]);
    fails(&host, 504, "there is no answer within --request-timeout, 300ms");
}

#[test]
fn what_comes_is_no_answer() {
    for raw in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "",
    ] {
        let upstream = Upstream::respond(|_| raw.as_bytes().to_vec());
        let host = proxy(&upstream, &[]);
        fails(&host, 502, &format!("the upstream {} failed: ", upstream.url()));
    }
}

#[test]
fn a_body_that_breaks_off_is_not_whole_for_the_client_either() {
    for head in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let upstream = Upstream::serve(move |_, stream| {
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n4\r\nhalf\r\n")?;
            Ok(fixtures::After::Close)
        });
        let host = proxy(&upstream, &[]);
        let reply = get(host.address(), "/", &[]);
        assert_eq!((reply.status, reply.complete), (200, false), "{head}");
        host.wait_for_log("a body was cut off: ");
        assert!(host.wait_for_stdout("status=200").ends_with(" aborted=true"), "{head}");
    }
}

#[test]
fn a_body_that_stops_coming_is_cut_off() {
    let stalls = raw::upstream(|mut stream| {
        skip_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        wait_for_end(&mut stream);
    });
    let host = proxy_to(&stalls, &["--idle-timeout", "300ms"]);
    let reply = get(host.address(), "/", &[]);
    assert_eq!((reply.status, reply.text(), reply.complete), (200, "half", false));
    host.wait_for_log("a body was cut off: nothing came for 300ms");
}
