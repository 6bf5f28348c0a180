//! The load of the benchmark: keep-alive connections that ask one request after the other.
//!
//! Prints the seconds it took, and fails at the first answer that is not the upstream's.

use std::env;
use std::error::Error;
use std::time::Instant;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const CONNECTIONS: usize = 32;
const BODY: usize = 100;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let usage = "usage: bench-load HOST:PORT REQUESTS [AUTHORIZATION]";
    let address = arguments.next().ok_or(usage)?;
    let requests: usize = arguments.next().ok_or(usage)?.parse()?;
    let authorization = arguments.next();

    let started = Instant::now();
    let mut connections = JoinSet::new();
    for number in 0..CONNECTIONS {
        let share = (requests + number) / CONNECTIONS;
        connections.spawn(ask(address.clone(), authorization.clone(), share));
    }
    while let Some(done) = connections.join_next().await {
        done??;
    }
    println!("{}", started.elapsed().as_secs_f64());
    Ok(())
}

async fn ask(address: String, authorization: Option<String>, times: usize) -> Result<(), Failure> {
    let stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::get("/get?page=1")
        .header(HOST, &address)
        .header(USER_AGENT, "bench-load")
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "gzip, br");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let request = request.body(Empty::<Bytes>::new())?;
    for _ in 0..times {
        sender.ready().await?;
        let response = sender.send_request(request.clone()).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status != StatusCode::OK || body.len() != BODY {
            let text = String::from_utf8_lossy(&body);
            return Err(format!("expected 200 and {BODY} bytes, got {status}: {text}").into());
        }
    }
    Ok(())
}
