use crate::register;
use plugin_interface::testing::{Host, TestExchange};

/// What the upstream sees in `X-Role`.
fn roles(config: &str, user: Option<&str>) -> Vec<String> {
    let plugin = Host::new().load(register, config).unwrap();
    let mut exchange = TestExchange::get("/").with_header("X-Role", "forged");
    if let Some(user) = user {
        exchange = exchange.with_identity(user);
    }
    plugin.on_request(&mut exchange).unwrap();
    exchange.request_headers("x-role").into_iter().map(str::to_owned).collect()
}

#[test]
fn the_upstream_sees_the_users_role() {
    let config = include_str!("../config.json");
    assert_eq!(roles(config, Some("ann")), ["admin"]);
    assert_eq!(roles(config, Some("bob")), ["guest"]);
}

#[test]
fn nobody_claims_a_role() {
    assert_eq!(roles(include_str!("../config.json"), None), [""; 0]);
    assert_eq!(roles("", Some("ann")), [""; 0]);
}

#[test]
fn a_mistake_in_the_configuration_stops_the_start() {
    let error = Host::new().load(register, r#"{"role": {}}"#).unwrap_err();
    assert!(error.message().contains("unknown field `role`"), "{error}");
    // A role that no header can have fails its request, and not silently.
    let plugin = Host::new().load(register, r#"{"otherwise": "a\nb"}"#).unwrap();
    let mut exchange = TestExchange::get("/").with_identity("ann");
    let error = plugin.on_request(&mut exchange).unwrap_err();
    assert_eq!(error.message(), "x-role: not a valid value");
}
