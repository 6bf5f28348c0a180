use crate::register;
use plugin_interface::testing::{Host, TestExchange};

/// The upstream, if it is not `--target`, and what it gets.
fn rewritten(target: &str, prefix: &str, config: &str) -> (Option<String>, String) {
    let plugin = Host::new().load(register, config).unwrap();
    let mut exchange = TestExchange::get(target);
    plugin.rewrite(&mut exchange, "http://127.0.0.1:8081", prefix).unwrap();
    (exchange.upstream(), exchange.target().to_owned())
}

#[test]
fn a_path_with_a_route_goes_to_its_upstream() {
    let config =
        r#"{"routes": {"/api": "http://127.0.0.1:81", "/api/v2": "https://example.test"}}"#;
    for (target, upstream) in [
        ("/api", Some("http://127.0.0.1:81")),
        ("/api/a?b=c", Some("http://127.0.0.1:81")),
        ("/api/v2/a", Some("https://example.test")),
        ("/api/v20", Some("http://127.0.0.1:81")),
        ("/apis", None),
        ("/a/api", None),
    ] {
        let seen = (upstream.map(str::to_owned), target.to_owned());
        assert_eq!(rewritten(target, "/", config), seen, "{target}");
    }
}

#[test]
fn the_prefix_is_taken_off_before_routes_are_looked_for() {
    let config = include_str!("../config.json");
    let upstream = Some("http://127.0.0.1:8082".to_owned());
    assert_eq!(rewritten("/p/api/a?b=%2F", "/p", config), (upstream, "/api/a?b=%2F".to_owned()));
    for (target, seen) in [("/p", "/"), ("/p/", "/"), ("/p?a", "/?a"), ("/prefix", "/prefix")] {
        assert_eq!(rewritten(target, "/p", config), (None, seen.to_owned()), "{target}");
    }
}

#[test]
fn a_route_without_a_slash_stops_the_start() {
    let error = Host::new().load(register, r#"{"routes": {"api": "http://a"}}"#).unwrap_err();
    assert_eq!(error.message(), "\"routes\": \"api\" does not begin with a slash");
}

#[test]
fn an_upstream_that_is_none_fails_the_request() {
    let plugin = Host::new().load(register, r#"{"routes": {"/": "127.0.0.1"}}"#).unwrap();
    let error = plugin.rewrite(&mut TestExchange::get("/"), "http://a", "/").unwrap_err();
    assert_eq!(error.message(), "the upstream: not a valid value");
}
