//! From the client's request to the call, and to the first of its answer.

use crate::call::Call;
use crate::frame::framed;
use crate::metadata;
use crate::settings::Settings;
use crate::status::{Code, Status};
use plugin_interface::{Body, Exchange, Frame, Request, Response};
use std::time::Duration;

/// The host's limit for a call that has a deadline of its own: so much later, so that ours is
/// always the one that is met.
const LATER: Duration = Duration::from_secs(1);

/// Whether the request speaks gRPC, or gRPC-Web, itself.
pub(crate) fn is_grpc(exchange: &Exchange<'_>) -> bool {
    let content_type = exchange.header("content-type").unwrap_or_default();
    content_type.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"))
}

/// The message for the service, as it is sent: with its frame.
pub(crate) async fn read(
    exchange: &mut Exchange<'_>,
    call: &Call,
    path: &[String],
    settings: &Settings,
) -> Result<Vec<u8>, Status> {
    let limit = settings.message_limit;
    let mut body = Vec::new();
    if call.has_body() {
        let untyped = check_content(exchange)?;
        body = collect(exchange.take_body(), limit).await?;
        if untyped && !body.is_empty() {
            return Err(unsupported("a body needs Content-Type: application/json"));
        }
    }
    let message = call.message(&body, exchange.query(), path, &settings.mapping)?;
    framed(&message, limit).ok_or_else(|| too_large(limit))
}

/// Refuses what is not plain JSON; says whether there is no content type at all.
fn check_content(exchange: &Exchange<'_>) -> Result<bool, Status> {
    let coding = exchange.header("content-encoding").map(<[u8]>::trim_ascii);
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Err(unsupported("a body with a Content-Encoding is not read: send it as it is"));
    }
    let Some(content_type) = exchange.header_str("content-type") else { return Ok(true) };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = essence == "application/json"
        || essence.starts_with("application/") && essence.ends_with("+json");
    if !json {
        return Err(unsupported("a body needs Content-Type: application/json"));
    }
    Ok(false)
}

async fn collect(mut body: Body, limit: usize) -> Result<Vec<u8>, Status> {
    if body.size_hint().lower > limit as u64 {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Status::new(Code::InvalidArgument, "body: it was broken off"))?;
        let Frame::Data(chunk) = frame else { continue };
        if chunk.as_ref().len() > limit - bytes.len() {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(chunk.as_ref());
    }
    Ok(bytes)
}

fn unsupported(text: &str) -> Status {
    Status::new(Code::InvalidArgument, text).with_http(415)
}

fn too_large(limit: usize) -> Status {
    let text = format!("the request is larger than {limit} bytes");
    Status::new(Code::ResourceExhausted, text).with_http(413)
}

/// The request for the service (`PROTOCOL-HTTP2.md` of gRPC).
pub(crate) fn call(
    settings: &Settings,
    call: &Call,
    message: Vec<u8>,
    metadata: &[(String, Vec<u8>)],
    time: Option<Duration>,
) -> Request {
    let mut request = Request::new("POST", &format!("{}{}", settings.origin, call.path))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("user-agent", concat!("tenon-grpc/", env!("CARGO_PKG_VERSION")))
        .header("grpc-accept-encoding", "identity")
        .body(Body::from_owner(message));
    for (key, value) in metadata {
        request = request.header(key, value);
    }
    if let Some(time) = time {
        request = request.header("grpc-timeout", metadata::timeout(time));
        request = request.timeout(time.saturating_add(LATER));
    }
    request
}

/// The body with the messages, none if the call has ended well without any; or the status of one that
/// has not, or that has none of gRPC's.
pub(crate) fn head(response: Response) -> Result<Option<Body>, Status> {
    let parts = response.into_parts();
    if let Some(status) = Status::from_headers(&parts.headers) {
        return match status.code {
            Code::Ok => Ok(None),
            _ => Err(status),
        };
    }
    let is_grpc = parts.headers.iter().any(|header| {
        header.name == "content-type" && header.value.starts_with(b"application/grpc")
    });
    if parts.status != 200 || !is_grpc {
        return Err(Status::from_http(parts.status));
    }
    Ok(Some(parts.body))
}
