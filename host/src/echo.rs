//! `host echo`: an upstream for trying things.

use crate::cli::{EchoArgs, FormatArg};
use crate::{logging, proxy};
use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;

/// A body is echoed up to this size.
const LIMIT: usize = 1 << 20;

/// Answers until it is told to end.
pub fn run(args: &EchoArgs) -> Result<ExitCode> {
    logging::start("info", FormatArg::Text)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = proxy::bind(args.port, "--port").await?;
        let shutdown = proxy::shutdown()?;
        tracing::info!("listening on http://{}", listener.local_addr()?);
        tokio::select! {
            () = accept(listener) => {}
            () = shutdown => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn accept(listener: TcpListener) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Too many files are open: it will not be better at once.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        tokio::spawn(async move {
            let service =
                service_fn(
                    move |request| async move { Ok::<_, Infallible>(echo(request, peer).await) },
                );
            let server = Builder::new(TokioExecutor::new());
            let serving = server.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = serving.await {
                tracing::debug!("a connection ended: {error}");
            }
        });
    }
}

/// What httpbin.org answers to `/get`, for every path and method.
async fn echo(request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let host = head.uri.authority().map(|authority| authority.as_str().to_owned());
    let host = host.or_else(|| Some(head.headers.get("host")?.to_str().ok()?.to_owned()));
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let data = match Limited::new(body, LIMIT).collect().await {
        Ok(data) => String::from_utf8_lossy(&data.to_bytes()).into_owned(),
        Err(error) => format!("(not echoed: {error})"),
    };
    let text = json!({
        "args": arguments(head.uri.query().unwrap_or_default()),
        "data": data,
        "headers": headers(&head.headers),
        "method": head.method.as_str(),
        "origin": origin(&head.headers, peer),
        "url": format!("http://{}{path}", host.unwrap_or_default()),
    });
    let mut response = Response::new(Full::from(format!("{text:#}\n")));
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

fn arguments(query: &str) -> Map<String, Value> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.into())
        })
        .collect()
}

/// Names as they are usually written; values of the same name in one.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let mut map = Map::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values.map(|it| String::from_utf8_lossy(it.as_bytes())).collect();
        map.insert(title(name.as_str()), values.join(", ").into());
    }
    map
}

/// `x-trace-id` as `X-Trace-Id`.
fn title(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

fn origin(headers: &HeaderMap, peer: SocketAddr) -> String {
    let forwarded = headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
    match forwarded {
        Some(forwarded) => format!("{forwarded}, {}", peer.ip()),
        None => peer.ip().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_people_write_them() {
        assert_eq!(title("x-trace-id"), "X-Trace-Id");
        assert_eq!(title("host"), "Host");
        assert_eq!(title("-a--b"), "-A--B");
    }
}
