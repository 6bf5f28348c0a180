use crate::register;
use plugin_interface::Response;
use plugin_interface::testing::{Host, Plugin, TestExchange};
use std::time::Duration;

/// A request from an address, taken through the plugin and back.
fn request(plugin: &Plugin, address: [u8; 4]) -> TestExchange {
    let mut exchange = TestExchange::get("/").with_peer((address, 1234).into());
    plugin.on_request(&mut exchange).unwrap();
    if exchange.status().is_none() {
        exchange.respond(Response::new(200));
        plugin.on_response(&mut exchange).unwrap();
    }
    exchange
}

#[test]
fn the_fourth_request_within_a_minute_is_refused() {
    let host = Host::new();
    let plugin = host.load(register, include_str!("../config.json")).unwrap();
    for remaining in ["2", "1", "0"] {
        let exchange = request(&plugin, [192, 0, 2, 1]);
        assert_eq!(exchange.response_header("x-remaining"), Some(remaining));
    }
    let refused = request(&plugin, [192, 0, 2, 1]);
    assert_eq!((refused.status(), refused.response_header("retry-after")), (Some(429), Some("60")));
    assert_eq!(request(&plugin, [192, 0, 2, 2]).status(), Some(200), "another client's");

    host.advance(Duration::from_secs(60));
    assert_eq!(request(&plugin, [192, 0, 2, 1]).status(), Some(200));
}

#[test]
fn a_limit_that_lets_nobody_in_is_a_mistake() {
    let error = Host::new().load(register, r#"{"requests": 0}"#).unwrap_err();
    assert_eq!(error.message(), "\"requests\" and \"seconds\" must be at least 1");
}
