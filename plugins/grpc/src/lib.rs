//! POST middleware: answers JSON requests by calling a gRPC service.
//!
//! The upstream of the proxy sees none of them; what is not for the service passes on to it.

mod call;
mod config;
mod deadline;
mod fields;
mod frame;
mod json;
mod messages;
mod metadata;
mod request;
mod routes;
mod rule;
mod settings;
mod status;
mod stream;
mod tally;
mod template;

use call::Call;
use deadline::{Deadline, in_time};
use messages::Messages;
use plugin_interface::{
    Body, Exchange, HostServices, Middleware, Registrar, Response, Result, Step, tracing,
};
use routes::{Found, Routes};
use settings::Settings;
use status::{Code, Status};
use std::sync::Arc;
use stream::{Format, JsonStream};
use tally::Tally;

plugin_interface::export_plugin!(register);

fn register(registrar: &mut Registrar<'_>, host: HostServices, config: &str) -> Result<()> {
    let (settings, routes) = config::parse(config)?;
    tracing::info!(methods = routes.len(), upstream = settings.origin, "calls gRPC services");
    let tally = Tally::new(&host)?;
    registrar.middleware("grpc", Grpc { host, settings: Arc::new(settings), routes, tally });
    Ok(())
}

struct Grpc {
    host: HostServices,
    settings: Arc<Settings>,
    routes: Routes,
    tally: Tally,
}

/// What [`Middleware::on_request`] leaves for its asynchronous half.
struct Pending {
    call: Arc<Call>,
    path: Vec<String>,
}

impl Middleware for Grpc {
    fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        // A client that speaks gRPC itself needs no help: the proxy passes its calls on.
        if request::is_grpc(exchange) {
            return Ok(Step::Next);
        }
        Ok(match self.routes.find(exchange.method(), exchange.path()) {
            Found::Nothing => Step::Next,
            Found::Call(call, path) => {
                exchange.set_slot(Some(Pending { call, path }));
                Step::Defer
            }
            Found::Only(methods) => {
                let text = format!("this path is for {methods}");
                let status = Status::new(Code::Unimplemented, text).with_http(405);
                Step::Respond(self.refusal(&status).header("allow", methods))
            }
            Found::Malformed => {
                let status = Status::new(Code::InvalidArgument, "path: it is not UTF-8");
                Step::Respond(self.refusal(&status))
            }
        })
    }

    async fn on_request_async(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        let pending = exchange.slot::<Option<Pending>>().and_then(Option::take);
        let Some(Pending { call, path }) = pending else { return Ok(Step::Next) };
        let mut counted = self.tally.call();
        let answer = self.answer(exchange, &call, &path).await;
        Ok(Step::Respond(match answer {
            Ok(Answer::Whole(json)) => {
                counted.ended(Code::Ok);
                let response = Response::new(200).header("content-type", "application/json");
                response.body(Body::from_owner(json))
            }
            Ok(Answer::Stream(messages)) => {
                let format = Format::accepted(exchange.header_str("accept").unwrap_or_default());
                let (settings, host) = (self.settings.clone(), self.host);
                let body = JsonStream::new(messages, call, settings, host, format, counted);
                let response = Response::new(200).header("content-type", format.content_type());
                response.header("cache-control", "no-cache").body(Body::new(body))
            }
            Err(status) => {
                tracing::debug!(call = call.path, code = status.code.name(), "a call failed");
                counted.ended(status.code);
                self.refusal(&status)
            }
        }))
    }
}

/// How a call is answered, once it is known to be.
enum Answer {
    Whole(Vec<u8>),
    Stream(Messages),
}

impl Grpc {
    async fn answer(
        &self,
        exchange: &mut Exchange<'_>,
        call: &Call,
        path: &[String],
    ) -> Result<Answer, Status> {
        if call.method.is_client_streaming() {
            let text = "a call with a stream of requests cannot be made over JSON";
            return Err(Status::new(Code::Unimplemented, text));
        }
        let settings = &self.settings;
        let metadata = settings.metadata.of(exchange)?;
        let time = settings.time_for(call, exchange)?;
        let message = request::read(exchange, call, path, settings).await?;
        let mut deadline = time.map(|time| Deadline::new(time, self.host));
        let request = request::call(settings, call, message, &metadata, time);
        let response = in_time(&mut deadline, self.host.http(request)).await?;
        let body = request::head(response.map_err(|error| {
            tracing::warn!(call = call.path, %error, "a call could not be made");
            Status::new(Code::Unavailable, "the service did not answer")
        })?)?;
        let messages = Messages::new(body, settings.message_limit, deadline);
        if call.method.is_server_streaming() {
            return Ok(Answer::Stream(messages));
        }
        let message = messages.only().await?;
        let mut json = Vec::new();
        call.write(&message, &mut json, &settings.mapping)
            .map_err(|error| Settings::unreadable(call, &error))?;
        Ok(Answer::Whole(json))
    }

    /// A status as an answer.
    fn refusal(&self, status: &Status) -> Response {
        let json = self.settings.mapping.status(status).to_string();
        let response = Response::new(status.http()).header("content-type", "application/json");
        response.body(Body::from_owner(json))
    }
}
