//! The service of `shop.proto`, on tonic.

use crate::server::{AnyBody, Server};
use fixtures::Certificates;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, poll_fn};
use futures_util::{FutureExt, StreamExt};
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use prost_types::{Any, Timestamp};
use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetOrder {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) shop: String,
    #[prost(int32, tag = "3")]
    pub(crate) view: i32,
    #[prost(string, repeated, tag = "4")]
    pub(crate) fields: Vec<String>,
    #[prost(message, optional, tag = "5")]
    pub(crate) at: Option<Timestamp>,
    #[prost(message, optional, tag = "6")]
    pub(crate) fresh: Option<bool>,
    #[prost(message, optional, tag = "7")]
    pub(crate) page: Option<Page>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Page {
    #[prost(int32, tag = "1")]
    pub(crate) page_size: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PutOrder {
    #[prost(message, optional, tag = "1")]
    pub(crate) order: Option<Order>,
    #[prost(bool, tag = "2")]
    pub(crate) validate_only: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WatchOrders {
    #[prost(int32, tag = "1")]
    pub(crate) count: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Order {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(int64, tag = "2")]
    pub(crate) total: i64,
    #[prost(int32, tag = "3")]
    pub(crate) view: i32,
    #[prost(string, repeated, tag = "4")]
    pub(crate) tags: Vec<String>,
    #[prost(map = "string, int32", tag = "5")]
    pub(crate) counts: HashMap<String, i32>,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) raw: Vec<u8>,
    #[prost(message, optional, tag = "7")]
    pub(crate) at: Option<Timestamp>,
    #[prost(message, optional, tag = "8")]
    pub(crate) extra: Option<Any>,
    #[prost(message, optional, boxed, tag = "9")]
    pub(crate) parent: Option<Box<Order>>,
}

type Orders = UnboundedReceiver<Result<Order, Status>>;

/// What the service does, and what the test sees of it.
#[derive(Clone, Default)]
pub(crate) struct Shop {
    /// The last request of `Get`.
    pub(crate) got: Arc<Mutex<Option<GetOrder>>>,
    /// What `Watch` answers with, while the test lets it; a call takes it.
    orders: Arc<Mutex<Option<Orders>>>,
    /// What is told when a call that never ends is dropped.
    dropped: Option<Sender<&'static str>>,
}

/// What a shop tells of calls that were dropped.
pub(crate) struct Dropped(Receiver<&'static str>);

impl Dropped {
    /// Waits for the next one.
    pub(crate) fn next(&self) -> &'static str {
        self.0
            .recv_timeout(Duration::from_secs(30))
            .expect("the service should hear that a call ended")
    }
}

impl Shop {
    pub(crate) fn server(&self) -> Server {
        let shop = self.clone();
        Server::start(move |request| shop.clone().answer(request))
    }

    pub(crate) fn tls(&self, of: &Certificates) -> Server {
        let shop = self.clone();
        Server::tls(of, move |request| shop.clone().answer(request))
    }

    /// The orders that `Watch` sends from now on; dropping the sender ends the call.
    pub(crate) fn orders(&self) -> UnboundedSender<Result<Order, Status>> {
        let (sender, receiver) = unbounded_channel();
        *self.orders.lock().unwrap() = Some(receiver);
        sender
    }

    /// A shop, and what it tells of calls that were dropped.
    pub(crate) fn watched() -> (Self, Dropped) {
        let (sender, receiver) = channel();
        (Self { dropped: Some(sender), ..Self::default() }, Dropped(receiver))
    }

    async fn answer(self, request: http::Request<hyper::body::Incoming>) -> Response<AnyBody> {
        let path = request.uri().path().to_owned();
        let response = match path.as_str() {
            "/shop.Orders/Get" => {
                Grpc::new(ProstCodec::<Order, GetOrder>::default()).unary(Get(self), request).await
            }
            "/shop.Orders/Put" => {
                Grpc::new(ProstCodec::<Order, PutOrder>::default()).unary(Put, request).await
            }
            "/shop.Orders/Watch" => {
                let mut grpc = Grpc::new(ProstCodec::<Order, WatchOrders>::default());
                grpc.server_streaming(Watch(self), request).await
            }
            _ => Status::unimplemented("no such method").into_http(),
        };
        response.map(|body| body.map_err(io::Error::other).boxed_unsync())
    }
}

struct Told(Option<Sender<&'static str>>, &'static str);

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(dropped) = &self.0 {
            let _ = dropped.send(self.1);
        }
    }
}

struct Get(Shop);

impl UnaryService<GetOrder> for Get {
    type Response = Order;
    type Future = BoxFuture<'static, Result<tonic::Response<Order>, Status>>;

    fn call(&mut self, request: Request<GetOrder>) -> Self::Future {
        let told = Told(self.0.dropped.clone(), "get");
        let metadata = request.metadata().clone().into_headers();
        let request = request.into_inner();
        *self.0.got.lock().unwrap() = Some(request.clone());
        async move {
            match request.id.as_str() {
                "missing" => {
                    let text = "no order \"missing\" in Köln";
                    Err(Status::with_details(Code::NotFound, text, details().into()))
                }
                "never" => {
                    let _told = told;
                    std::future::pending().await
                }
                "large" => Ok(Order { raw: vec![0; 3 << 20], ..Order::default() }.into()),
                _ => Ok(order(request, &metadata).into()),
            }
        }
        .boxed()
    }
}

/// A `google.rpc.Status` with an `Order` and a type that nobody knows.
fn details() -> Vec<u8> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct RpcStatus {
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }
    let known = prost::Message::encode_to_vec(&Order { total: 7, ..Order::default() });
    let of = |name: &str, value| Any { type_url: format!("type.googleapis.com/{name}"), value };
    let details = vec![of("shop.Order", known), of("not.Known", vec![1, 2])];
    prost::Message::encode_to_vec(&RpcStatus { details })
}

fn order(request: GetOrder, metadata: &HeaderMap) -> Order {
    let tags = ["x-request-id", "x-user", "x-user-bin", "authorization"];
    let tag = |name: &&str| Some(format!("{name}={}", metadata.get(*name)?.to_str().unwrap()));
    Order {
        id: request.id,
        total: 1 << 53,
        view: request.view,
        tags: tags.iter().filter_map(tag).collect(),
        counts: [("a".to_owned(), 1)].into(),
        raw: vec![0xfb, 0xff],
        at: Some(Timestamp { seconds: 1, nanos: 500_000_000 }),
        extra: Some(Any {
            type_url: "type.googleapis.com/shop.Page".to_owned(),
            value: prost::Message::encode_to_vec(&Page { page_size: 3 }),
        }),
        parent: None,
    }
}

struct Put;

impl UnaryService<PutOrder> for Put {
    type Response = Order;
    type Future = BoxFuture<'static, Result<tonic::Response<Order>, Status>>;

    fn call(&mut self, request: Request<PutOrder>) -> Self::Future {
        let request = request.into_inner();
        let mut order = request.order.unwrap_or_default();
        if request.validate_only {
            order.tags.push("validated".to_owned());
        }
        async move { Ok(order.into()) }.boxed()
    }
}

struct Watch(Shop);

impl ServerStreamingService<WatchOrders> for Watch {
    type Response = Order;
    type ResponseStream = BoxStream<'static, Result<Order, Status>>;
    type Future = BoxFuture<'static, Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<WatchOrders>) -> Self::Future {
        let count = request.into_inner().count;
        let orders = self.0.orders.lock().unwrap().take();
        let told = Told(self.0.dropped.clone(), "watch");
        async move {
            if count < 0 {
                return Err(Status::invalid_argument("count is negative"));
            }
            let Some(mut orders) = orders else {
                let order = |number: i32| {
                    let counts = [("number".to_owned(), number)].into();
                    Ok(Order { counts, ..Order::default() })
                };
                return Ok(futures_util::stream::iter(0..count).map(order).boxed().into());
            };
            let sent = poll_fn(move |cx| {
                let _ = &told;
                orders.poll_recv(cx)
            });
            Ok(tonic::Response::new(sent.boxed()))
        }
        .boxed()
    }
}
