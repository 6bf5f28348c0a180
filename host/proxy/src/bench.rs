//! A request through a chain without sockets: for the benchmark of the boundary only (feature
//! `bench`), which cannot reach what is private.

use crate::body::Payload;
use crate::chain::{Chain, Parts};
use crate::exchange::State;
use crate::metrics::Metrics;
use crate::native::Plugin;
use crate::service::Connection;
use crate::shadow::{Shadow, ShadowSettings, copies};
use crate::stage::{Place, Policy, Stage};
use http::{Request, Response};
use plugin_interface::Route;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

/// A chain, and a request with twelve headers that passes it again and again.
pub struct Passage {
    chain: Chain,
    connection: Connection,
    state: State,
}

impl Passage {
    /// A chain of PRE plugins.
    pub fn new(pre: Vec<Plugin>) -> Result<Self, String> {
        let pre = pre.into_iter().map(stage).collect();
        Self::of(Parts { pre, ..Parts::default() })
    }

    /// A chain of one PRE plugin with a shadow that sees every request.
    pub fn with_shadow(plugin: Plugin, candidate: Plugin) -> Result<(Self, Arc<Shadow>), String> {
        let (name, settings) = (plugin.info.name.clone(), ShadowSettings::default());
        let shadow = Shadow::new(stage(candidate), None, Some(name), settings);
        let shadow = shadow.map_err(|error| error.to_string())?;
        let (pre, shadows) = (vec![stage(plugin)], vec![shadow.clone()]);
        Ok((Self::of(Parts { pre, shadows, ..Parts::default() })?, shadow))
    }

    fn of(parts: Parts) -> Result<Self, String> {
        let chain = Chain::new(parts, Arc::new(Metrics::new()))?;
        let mut request = Request::builder().uri("/a/b?c=d");
        for (name, value) in [
            ("host", "example.com"),
            ("user-agent", "curl/8.5.0 something longer than that"),
            ("accept", "*/*"),
            ("accept-encoding", "gzip, br"),
            ("accept-language", "en"),
            ("cookie", "a=b; c=d; session=0123456789abcdef"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "example.com"),
            ("x-request-id", "0123456789"),
            ("content-type", "application/json"),
            ("content-length", "123"),
        ] {
            request = request.header(name, value);
        }
        let (head, ()) = request.body(()).map_err(|error| error.to_string())?.into_parts();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let connection = Connection::new(peer, "http", &Arc::default());
        let state = State::new(head, Payload::Empty, &connection);
        Ok(Self { chain, connection, state })
    }

    /// Down the chain, a response from an upstream that takes no time, and up again. Says whether
    /// the chain was through at once; it must be, where nothing waits.
    pub fn pass(&mut self) -> bool {
        let Self { chain, connection, state } = self;
        state.response = None;
        chain.copies(state);
        let through = {
            let way = pin!(async {
                let route = Route::new("http://a", "/");
                let passed = chain.request(state, connection, route, false).await;
                state.set_response(Response::new(()).into_parts().0, Payload::Empty);
                chain.response(state, passed).await;
            });
            way.poll(&mut Context::from_waker(Waker::noop())).is_ready()
        };
        copies::compare(state);
        through
    }
}

fn stage(plugin: Plugin) -> Arc<Stage> {
    Stage::new(plugin, Place::Pre, Policy::default(), Arc::default())
}
