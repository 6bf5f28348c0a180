//! What the tests share: servers to deliver to, and events whose arrival is watched.

mod certificates;
mod log;
mod raw;
mod server;

pub(crate) use certificates::{Certificates, certificates};
pub(crate) use log::Log;
pub(crate) use raw::{Raw, read_request, reset, send_and_reset};
pub(crate) use server::{Reply, Request, Server};

use bytes::Bytes;
use host_delivery::config::Kind;
use host_delivery::sink::fluentd;
use host_delivery::{Delivery, Item, Outlet, Retry, SinkConfig, Window};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Nothing takes longer, unless it never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Fails the test if it does not come to an end.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(PATIENCE, future).await else { panic!("never: {what}") };
    value
}

/// How often each event, by its uid, is done.
pub(crate) struct Tracker(watch::Sender<BTreeMap<String, usize>>);

impl Tracker {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::default())
    }

    /// An event with a number for its uid.
    pub(crate) fn item(&self, number: usize) -> Item {
        self.item_of(&number.to_string(), &json(number))
    }

    pub(crate) fn item_of(&self, uid: &str, json: &str) -> Item {
        let (done, name) = (self.0.clone(), uid.to_owned());
        Item {
            json: Bytes::copy_from_slice(json.as_bytes()),
            kind: "user.login".into(),
            uid: uid.to_owned(),
            time: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_708_714_822_473)),
            session: None,
            done: Box::new(move || done.send_modify(|done| *done.entry(name).or_default() += 1)),
        }
    }

    /// So many are done now.
    pub(crate) fn done(&self) -> usize {
        self.0.borrow().values().sum()
    }

    pub(crate) fn is_done(&self, number: usize) -> bool {
        self.0.borrow().contains_key(&number.to_string())
    }

    /// Waits until so many are done.
    pub(crate) async fn wait(&self, count: usize) {
        let mut done = self.0.subscribe();
        let all = done.wait_for(|done| done.values().sum::<usize>() >= count);
        let all = tokio::time::timeout(PATIENCE, all).await;
        assert!(all.is_ok(), "{} of {count} are done", self.done());
        assert!(self.0.borrow().values().all(|times| *times == 1), "done twice");
    }
}

/// The event with this number.
pub(crate) fn json(number: usize) -> String {
    format!(r#"{{"code":"T1000I","event":"user.login","uid":"{number}"}}"#)
}

/// The numbers of the events in a body, whatever is around them.
pub(crate) fn numbers(body: &[u8]) -> Vec<usize> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let uids = text.split(r#""uid":""#).skip(1);
    uids.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

/// With a back-off for tests.
pub(crate) fn outlet(kind: Kind) -> Outlet {
    let outlet = SinkConfig::new(kind).outlet(&|_| None).unwrap();
    let retry = Retry { least: Duration::from_millis(5), most: Duration::from_millis(50) };
    Outlet { retry, ..outlet }
}

pub(crate) fn fluentd(config: fluentd::Config) -> Outlet {
    outlet(Kind::Fluentd(config))
}

pub(crate) fn named(name: &str, outlet: Outlet) -> Outlet {
    Outlet { name: name.to_owned(), ..outlet }
}

pub(crate) fn window(events: usize, outlet: Outlet) -> Outlet {
    Outlet { window: Window { events, ..Window::default() }, ..outlet }
}

pub(crate) fn start(outlets: Vec<Outlet>) -> Delivery {
    Delivery::start(outlets, None).unwrap()
}

pub(crate) fn start_in(state: &Path, outlets: Vec<Outlet>) -> Delivery {
    Delivery::start(outlets, Some(state)).unwrap()
}

/// Ends, with everything delivered.
pub(crate) async fn finish(delivery: Delivery) {
    let left = delivery.finish(PATIENCE).await;
    assert!(left.is_empty(), "{left:?}");
}

/// Waits until the first sink fails, and says why.
pub(crate) async fn failing_for(delivery: &Delivery) -> String {
    soon("a failure", async {
        loop {
            if let Some((_, reason)) = delivery.status().remove(0).failing {
                return reason;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// A sink's metric, as Prometheus would read it, in whole numbers.
pub(crate) fn metric(delivery: &Delivery, name: &str, sink: &str) -> u64 {
    let mut registry = Registry::default();
    delivery.metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let line = format!("{name}{{sink=\"{sink}\"}} ");
    let value = text.lines().find_map(|it| it.strip_prefix(&line));
    let value = value.unwrap_or_else(|| panic!("no {line}in {text}"));
    value.split('.').next().unwrap().parse().unwrap()
}
