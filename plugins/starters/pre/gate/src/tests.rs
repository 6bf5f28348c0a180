use crate::register;
use plugin_interface::testing::{Host, Plugin, TestExchange};

fn plugin(host: &Host) -> Plugin {
    host.load(register, include_str!("../config.json")).unwrap()
}

#[test]
fn a_robot_is_turned_away_and_counted() {
    let host = Host::new();
    let plugin = plugin(&host);
    let mut exchange = TestExchange::get("/").with_header("User-Agent", "Robot/1.0");
    plugin.on_request(&mut exchange).unwrap();
    assert_eq!(exchange.status(), Some(403));
    assert_eq!(exchange.text().unwrap(), "not for you\n");
    assert_eq!(host.metric("gate_refused_total", &[]), Some(1.0));
}

#[test]
fn who_passes_is_marked_whatever_the_client_says() {
    let plugin = plugin(&Host::new());
    let mut exchange = TestExchange::get("/").with_header("X-Gate", "mine");
    plugin.on_request(&mut exchange).unwrap();
    assert_eq!(exchange.status(), None);
    assert_eq!(exchange.request_headers("x-gate"), ["passed"]);
}

#[test]
fn without_a_configuration_everyone_passes() {
    let plugin = Host::new().load(register, "").unwrap();
    let mut exchange = TestExchange::get("/").with_header("User-Agent", "robot");
    plugin.on_request(&mut exchange).unwrap();
    assert_eq!(exchange.status(), None);
}

#[test]
fn a_mistake_in_the_configuration_stops_the_start() {
    let error = Host::new().load(register, r#"{"deni": []}"#).unwrap_err();
    assert!(error.message().contains("unknown field `deni`"), "{error}");
}
