//! The plugin in the real host.
#![allow(clippy::panic, clippy::unwrap_used)] // a test fails loudly

use fixtures::{Host, Upstream, get, library};

fn start(upstream: &Upstream) -> Host {
    let plugin = library("pre-plugin");
    Host::start(&["-d", "--target", &upstream.url(), "--pre-plugin", plugin.to_str().unwrap()])
}

/// The only trace id of the request that the upstream saw last.
fn trace_id(upstream: &Upstream) -> String {
    let request = upstream.last();
    let values = request.values("x-trace-id");
    let [id] = values[..] else { panic!("one trace id expected, got {values:?}") };
    assert!(id.len() == 16 && id.bytes().all(|it| b"0123456789abcdef".contains(&it)), "{id}");
    id.to_owned()
}

#[test]
fn every_request_has_an_id_of_its_own_in_place_of_the_clients() {
    let upstream = Upstream::echo();
    let (first, second) = (start(&upstream), start(&upstream));
    let mut ids = Vec::new();
    for host in [&first, &first, &second, &second] {
        let forged = [("X-Trace-Id", "0000000000000000"), ("x-trace-id", "1111111111111111")];
        assert_eq!(get(host.address(), "/", &forged).status, 200);
        ids.push(trace_id(&upstream));
    }
    ids.extend(["0000000000000000".to_owned(), "1111111111111111".to_owned()]);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6, "an id came twice, or from the client: {ids:?}");
    assert!(first.wait_for_log("running PRE plugin").contains("DEBUG"));
}

#[test]
fn a_configuration_is_refused() {
    let with_config = format!("{}={{\"a\": 1}}", library("pre-plugin").display());
    let failed =
        Host::fails(&["--target", "http://127.0.0.1:1", "--pre-plugin", with_config.as_str()]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(
        failed.stderr.contains("this plugin takes no configuration; remove it"),
        "{}",
        failed.stderr
    );
}
