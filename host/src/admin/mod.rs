//! The admin listener: a page for people, an API for programs, metrics for Prometheus, and probes.
//!
//! Who may see and change the host:
//!
//! - Without a token it listens on a loopback address only. Whoever can run programs on this machine
//!   can use it; what must be kept out is a page of somebody else's in the operator's browser.
//! - With a token, everything but the probes and the page's own files, which say nothing of the host,
//!   needs it. The page asks for it and keeps it in the tab's `sessionStorage`. There are no cookies,
//!   so a browser adds nothing by itself to a request that another page makes.
//!
//! Against pages of others:
//!
//! - **What changes something** needs a header that a browser lets no other page send unless this
//!   listener agrees (which it never does: it answers no preflight): `Authorization` with the token,
//!   or `X-Tenon-Admin` where there is none. `Content-Type: application/json` is such a header too, and
//!   a browser that says where a request is from (`Sec-Fetch-Site`, `Origin`) must say: from here.
//! - **To read** an answer no other page is allowed, as no answer has `Access-Control-Allow-Origin`.
//! - **DNS rebinding**, where a name of the attacker's is made to resolve to this machine so that his
//!   page is of the same origin, is stopped by `Host`: it must be an IP address, which cannot be
//!   rebound, `localhost`, or a name of the configuration.
//! - **The page** runs only its own script, and its policy forbids to make HTML of text.

mod access;
mod answer;
mod command;
mod gauges;
mod page;
mod route;
pub(crate) mod server;

pub use access::Access;

use crate::operator::{Command, Done, Operator};
use access::{host, same_origin};
use answer::{Answer, Refusal};
use bytes::Bytes;
use gauges::Gauges;
use host_proxy::{Metrics, Phase};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use route::Route;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// What the routes and answers are, in OpenAPI's terms.
const OPENAPI: &str = include_str!("openapi.json");

/// The admin API of a host.
pub struct Admin {
    operator: Arc<dyn Operator>,
    metrics: Arc<Metrics>,
    access: Access,
    gauges: Gauges,
}

impl Admin {
    /// An API to what the operator sees and says, for those who have access. What the status has in
    /// numbers is shown among the metrics.
    pub fn new(operator: Arc<dyn Operator>, metrics: Arc<Metrics>, access: Access) -> Self {
        let gauges = Gauges::new(&metrics);
        Self { operator, metrics, access, gauges }
    }

    /// Serves until the process ends. Each connection is a task of `conversations`.
    pub async fn serve(self: Arc<Self>, listener: Arc<TcpListener>, conversations: TaskTracker) {
        let answer = move |request: Request<Incoming>| {
            let admin = self.clone();
            async move { admin.answer(request).await }
        };
        server::serve(&listener, &conversations, answer).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.pass(request).await.map_or_else(Refusal::into_response, Answer::into_response)
    }

    /// The way of a request; what is wrong with it is said in the order of this function.
    async fn pass(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let (head, body) = request.into_parts();
        let route = Route::of(head.uri.path());
        if let Some(Ok(probe @ (Route::Health | Route::Ready))) = &route {
            probe.check_method(&head.method)?;
            return self.show(probe);
        }
        let host = host(&head)?;
        self.access.check_host(&host)?;
        let route = route.ok_or_else(|| Refusal::not_found(head.uri.path()))??;
        route.check_method(&head.method)?;
        if let Route::File(file) = &route {
            return Ok(Answer::file(file));
        }
        self.access.check_token(&head.headers)?;
        let Route::Do(action) = route else { return self.show(&route) };
        self.may_change(&head.headers, &host)?;
        let command = command::read(action, &head.headers, body).await?;
        self.carry_out(command).await.map(|done| Answer::json(StatusCode::OK, &done))
    }

    fn show(&self, route: &Route) -> Result<Answer, Refusal> {
        Ok(match route {
            Route::Health => Answer::text(StatusCode::OK, "ok\n"),
            Route::Ready => match self.operator.phase() {
                Phase::Serving => Answer::text(StatusCode::OK, "ready\n"),
                other => Answer::text(StatusCode::SERVICE_UNAVAILABLE, &format!("{other}\n")),
            },
            Route::Status => Answer::json(StatusCode::OK, &self.operator.status()),
            Route::Locks => Answer::json(StatusCode::OK, &self.operator.locks()),
            Route::Metrics => {
                self.gauges.set(&self.operator.status());
                Answer::metrics(self.metrics.encode())
            }
            Route::OpenApi => Answer::openapi(OPENAPI),
            Route::File(file) => Answer::file(file),
            // Not shown but done; see `pass`.
            Route::Do(_) => return Err(Refusal::not_found("this")),
        })
    }

    fn may_change(&self, headers: &HeaderMap, host: &http::uri::Authority) -> Result<(), Refusal> {
        same_origin(headers, host)?;
        self.access.check_header(headers)
    }

    /// On a task of its own: whoever has asked may leave, a command is carried out whole.
    async fn carry_out(&self, command: Command) -> Result<Done, Refusal> {
        let operator = self.operator.clone();
        let task = tokio::spawn(async move {
            let result = operator.command(command.clone()).await;
            match &result {
                Ok(Done { message }) => tracing::info!(?command, "over the admin API: {message}"),
                Err(declined) => tracing::warn!(?command, "over the admin API: {declined}"),
            }
            result
        });
        match task.await {
            Ok(result) => result.map_err(Refusal::from),
            // A mistake of ours, which the panic hook has logged.
            Err(_) => Err(Refusal::internal("the command was not carried out; the log has more")),
        }
    }
}
