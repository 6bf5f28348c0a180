//! The metrics of a plugin go on where those of the one before it have stopped.

use crate::server::Setup;
use fixtures::Upstream;
use host_proxy::{Chain, Parts, Place, State};
use std::time::{Duration, Instant};

#[test]
fn counters_do_not_go_back_when_a_plugin_is_loaded_anew() {
    let upstream = Upstream::echo();
    let mut setup = Setup::new();
    setup.parts = Parts::default();
    let (first, second) =
        (setup.load("misbehaves", "", Place::Pre), setup.load("misbehaves", "", Place::Pre));
    setup.parts.pre.push(first);
    let metrics = setup.metrics.clone();
    let mut server = setup.start(&upstream);
    server.parts = Parts::default(); // the chain alone holds the plugin
    let next =
        "tenon_plugin_decisions_total{plugin=\"misbehaves\",place=\"pre\",decision=\"next\"}";
    let line = |rest: &str| format!("{next} {rest}");
    for _ in 0..3 {
        assert_eq!(server.get("/", &[]).status, 200);
    }
    server.shows(&line("6"));
    server.shows("tenon_plugin_generations_total{plugin=\"misbehaves\",place=\"pre\"} 1");

    let parts = Parts { pre: vec![second], ..Parts::default() };
    let chain = Chain::new(parts, metrics).unwrap();
    chain.stages().into_iter().for_each(|stage| stage.activate());
    let old = server.proxy.chain.swap(chain.into());
    old.stages().into_iter().for_each(|stage| stage.drain());
    server.shows(&line("6"));
    let state = |state: &str, count: u32| {
        format!(
            "tenon_plugin_state{{plugin=\"misbehaves\",place=\"pre\",state=\"{state}\"}} {count}"
        )
    };
    server.shows(&state("active", 1));
    server.shows(&state("draining", 1));
    let life = old.stages()[0].life.clone();
    drop(old); // the last that holds it, but for a request that has just been answered
    let begin = Instant::now();
    while life.state() != State::Retired {
        assert!(begin.elapsed() < Duration::from_secs(10), "it is {}", life.state());
        std::thread::yield_now();
    }
    for requests in 4..6 {
        assert_eq!(server.get("/", &[]).status, 200);
        server.shows(&line(&(2 * requests).to_string()));
    }
    assert!(server.metric(&["state=\"draining\"", "misbehaves"]).is_empty());
    assert!(server.metric(&["state=\"retired\""]).is_empty(), "those would grow for ever");
    server.shows("tenon_plugin_generations_total{plugin=\"misbehaves\",place=\"pre\"} 2");
    let of = "plugin=\"misbehaves\",place=\"pre\"} 10";
    server.shows(&format!("tenon_plugin_own_seconds_count{{{of}"));
    server.shows(&format!("tenon_plugin_own_seconds_bucket{{le=\"+Inf\",{of}"));
}
