//! The load of the benchmark of faults: neighbours that ask at a steady pace, and one client whose
//! requests make a plugin misbehave.
//!
//! Prints the median and the 99th percentile of what the neighbours waited, in microseconds.

use std::env;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Connections that ask once each pace: 800 requests a second.
const NEIGHBOURS: u32 = 8;
const PACE: Duration = Duration::from_millis(10);
/// A request of the troublemaker: 100 a second.
const TROUBLE: Duration = Duration::from_millis(10);

type Failure = Box<dyn Error + Send + Sync>;
type Sender = SendRequest<Empty<Bytes>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let usage = "usage: bench-faults HOST:PORT MILLISECONDS [FAULT]";
    let address: Arc<str> = arguments.next().ok_or(usage)?.into();
    let end = Instant::now() + Duration::from_millis(arguments.next().ok_or(usage)?.parse()?);
    let fault: Arc<str> = arguments.next().unwrap_or_default().into();

    let trouble = tokio::spawn(trouble(address.clone(), fault));
    let mut neighbours = JoinSet::new();
    for number in 0..NEIGHBOURS {
        let address = address.clone();
        neighbours.spawn(async move {
            sleep(PACE * number / NEIGHBOURS).await;
            neighbour(&address, end).await
        });
    }
    let mut waited = Vec::new();
    while let Some(done) = neighbours.join_next().await {
        waited.extend(done??);
    }
    trouble.abort();
    waited.sort_unstable();
    let of_hundred = |part: usize| waited[(waited.len() * part / 100).min(waited.len() - 1)];
    println!("{} {}", of_hundred(50).as_micros(), of_hundred(99).as_micros());
    Ok(())
}

/// Asks once each pace, and says how long each answer took.
async fn neighbour(address: &str, end: Instant) -> Result<Vec<Duration>, Failure> {
    let mut sender = connect(address).await?;
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waited = Vec::new();
    while Instant::now() < end {
        pace.tick().await;
        let started = Instant::now();
        let status = ask(&mut sender, address, "").await?;
        waited.push(started.elapsed());
        if status != StatusCode::OK {
            return Err(format!("a neighbour got {status}").into());
        }
    }
    Ok(waited)
}

/// Sends requests that make the plugin misbehave, whether the ones before are answered or not.
async fn trouble(address: Arc<str>, fault: Arc<str>) -> Result<(), Failure> {
    let idle: Arc<Mutex<Vec<Sender>>> = Arc::default();
    let mut pace = interval(TROUBLE);
    loop {
        pace.tick().await;
        let (address, fault, idle) = (address.clone(), fault.clone(), idle.clone());
        tokio::spawn(async move {
            let used = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut sender = match used {
                Some(sender) if !sender.is_closed() => sender,
                _ => connect(&address).await?,
            };
            ask(&mut sender, &address, &fault).await?; // whatever the answer is
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
            Ok::<_, Failure>(())
        });
    }
}

async fn connect(address: &str) -> Result<Sender, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask(sender: &mut Sender, address: &str, fault: &str) -> Result<StatusCode, Failure> {
    let mut request = Request::get("/get?page=1").header(HOST, address);
    if !fault.is_empty() {
        request = request.header("x-misbehave", fault);
    }
    sender.ready().await?;
    let response = sender.send_request(request.body(Empty::new())?).await?;
    let status = response.status();
    response.into_body().collect().await?;
    Ok(status)
}
