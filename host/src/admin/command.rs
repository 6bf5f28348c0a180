//! What a request tells the host to do.

use super::answer::Refusal;
use super::route::Action;
use crate::operator::Command;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::time::Duration;

/// The bytes of a body: no command says much.
const BODY: usize = 4096;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The body of a command that needs none.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Promote {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    force: bool,
}

/// Reads what belongs to an action. A body is an object in JSON; an empty one, and for DELETE none at
/// all, is like `{}`.
pub(super) async fn read(
    action: Action,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Command, Refusal> {
    let removes = matches!(action, Action::Command(Command::RemoveLock { .. }));
    if !(removes && body.is_end_stream()) {
        check_type(headers)?;
    }
    let body = whole(body).await?;
    Ok(match action {
        Action::Command(command) => {
            let Nothing {} = parse(&body)?;
            command
        }
        Action::Promote => {
            let Promote { id, force } = parse(&body)?;
            Command::Promote { id, force }
        }
    })
}

fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let what = "send Content-Type: application/json";
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what))
}

async fn whole(body: Incoming) -> Result<Bytes, Refusal> {
    let too_large = || {
        let what = format!("the body is larger than {BODY} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, what)
    };
    if body.size_hint().lower() > BODY as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(PATIENCE, Limited::new(body, BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Refusal::bad_request(format!("the body cannot be read: {error}"))),
        Err(_) => {
            let what = format!("the body was not there after {PATIENCE:?}");
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, what))
        }
    }
}

fn parse<T: Default + DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    if body.is_empty() {
        return Ok(T::default());
    }
    // By way of a map: serde would take a list for a struct.
    serde_json::from_slice::<Map<String, Value>>(body)
        .and_then(|fields| T::deserialize(Value::Object(fields)))
        .map_err(|error| {
            Refusal::bad_request(format!("the body is not what is asked for: {error}"))
        })
}
