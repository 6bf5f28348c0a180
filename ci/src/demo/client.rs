//! Requests that the demo sends, shown as the command that a user would type for the same.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST, USER_AGENT, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// An answer, already shown.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The echo's report of the request that it has received; null for any other body.
    pub(super) seen: Value,
}

impl Answer {
    /// A header of the request that reached the upstream.
    pub(super) fn seen_header(&self, name: &str) -> Option<&str> {
        let headers = self.seen.get("headers")?.as_object()?;
        headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str()
    }

    /// The path of the request that reached the upstream.
    pub(super) fn seen_path(&self) -> Option<&str> {
        let url = self.seen.get("url")?.as_str()?;
        let (_, rest) = url.split_once("://")?;
        rest.find('/').map(|slash| &rest[slash..])
    }
}

pub(super) async fn get(address: &str, path: &str, user: Option<&str>) -> Result<Answer> {
    let credentials = user.map(|user| format!("-u {user} ")).unwrap_or_default();
    println!("$ curl -i {credentials}http://{address}{path}");

    let mut request = Request::get(path).header(HOST, address).header(USER_AGENT, "tenon-demo");
    if let Some(user) = user {
        request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(user)));
    }
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot connect to {address}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        let (head, body) = response.into_parts();
        Ok::<_, anyhow::Error>((head, body.collect().await?.to_bytes()))
    };
    tokio::pin!(exchange);
    let (head, body) = tokio::select! {
        done = &mut exchange => done,
        // The server may close as soon as it has answered; the answer is still to be read.
        _ = connection => exchange.await,
    }
    .with_context(|| format!("no answer from http://{address}{path}"))?;

    println!("HTTP/1.1 {}", head.status);
    for value in head.headers.get_all(WWW_AUTHENTICATE) {
        println!("{WWW_AUTHENTICATE}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    println!("\n{}\n", String::from_utf8_lossy(&body).trim_end());
    let seen = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Answer { status: head.status, headers: head.headers, seen })
}
