//! The smallest reverse proxy one can write with hyper: no checks, no hooks, no log.
//!
//! The benchmark holds the host against it: what both spend is the price of hyper and the kernel,
//! what the host spends on top is its own.

use std::env;
use std::error::Error;

use hyper::Request;
use hyper::body::Incoming;
use hyper::http::uri::{Authority, Scheme};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let upstream: Authority =
        env::args().nth(1).ok_or("usage: smallest-proxy HOST:PORT")?.parse()?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build::<_, Incoming>(connector);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (client, upstream) = (client.clone(), upstream.clone());
        let forward = service_fn(move |mut request: Request<Incoming>| {
            let mut target = request.uri().clone().into_parts();
            target.scheme = Some(Scheme::HTTP);
            target.authority = Some(upstream.clone());
            let client = client.clone();
            async move {
                *request.uri_mut() = target.try_into()?;
                Ok::<_, Box<dyn Error + Send + Sync>>(client.request(request).await?)
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), forward));
    }
}
