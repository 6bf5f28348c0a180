//! `/metrics`, `/healthz` and `/readyz`. Nothing can be changed here, and nothing of an event is shown
//! but its type.

use super::watch::Watch;
use crate::admin::server;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::future::ready;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// Of OpenMetrics.
const FORMAT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The metrics, once all of them are registered.
#[derive(Clone, Default)]
pub(crate) struct Metrics(Arc<OnceLock<Registry>>);

impl Metrics {
    pub(crate) fn set(&self, registry: Registry) {
        let _ = self.0.set(registry); // once
    }

    fn text(&self) -> Option<String> {
        let mut text = String::new();
        encode(&mut text, self.0.get()?).ok()?;
        Some(text)
    }
}

/// Serves until the program ends.
pub(crate) async fn serve(listener: TcpListener, watch: Arc<Watch>, metrics: Metrics) {
    let answering = move |request: Request<Incoming>| ready(answer(&request, &watch, &metrics));
    server::serve(&listener, &TaskTracker::new(), answering).await;
}

fn answer(request: &Request<Incoming>, watch: &Watch, metrics: &Metrics) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n".to_owned());
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => match watch.faults() {
            faults if faults.is_empty() => text(StatusCode::OK, "ready\n".to_owned()),
            faults => text(StatusCode::SERVICE_UNAVAILABLE, faults.join("\n") + "\n"),
        },
        "/metrics" => match metrics.text() {
            Some(metrics) => {
                let mut response = text(StatusCode::OK, metrics);
                response.headers_mut().insert(CONTENT_TYPE, FORMAT);
                response
            }
            None => text(StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned()),
        },
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n".to_owned()),
    }
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
