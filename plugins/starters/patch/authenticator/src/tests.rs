use crate::register;
use plugin_interface::testing::{Host, Plugin, TestExchange};

fn plugin() -> Plugin {
    Host::new().load(register, include_str!("../config.json")).unwrap()
}

fn with(authorization: &str) -> TestExchange {
    let mut exchange = TestExchange::get("/").with_header("Authorization", authorization);
    plugin().authenticate(&mut exchange).unwrap();
    exchange
}

#[test]
fn a_token_is_its_user() {
    for authorization in ["Bearer wonderful-secret", "bearer  wonderful-secret"] {
        let exchange = with(authorization);
        assert_eq!((exchange.identity(), exchange.status()), (Some("ann"), None));
    }
}

#[test]
fn a_wrong_token_is_refused() {
    for authorization in ["Bearer other", "Bearer ", "Bearer wonderful-secre"] {
        let mut exchange = with(authorization);
        assert_eq!((exchange.identity(), exchange.status()), (None, Some(401)));
        let challenge = "Bearer realm=\"tenon\", error=\"invalid_token\"";
        assert_eq!(exchange.response_header("www-authenticate"), Some(challenge));
        assert_eq!(exchange.text().unwrap(), "wrong token\n");
    }
}

#[test]
fn who_has_none_is_asked_for_one() {
    let exchange = with("Basic dGVzdDp0ZXN0");
    assert_eq!((exchange.identity(), exchange.status()), (None, None));
    assert_eq!(plugin().challenges(), ["Bearer realm=\"tenon\""]);
}

#[test]
fn a_configuration_that_lets_nobody_in_stops_the_start() {
    for config in ["", "{}", r#"{"tokens": {}}"#] {
        let error = Host::new().load(register, config).unwrap_err();
        assert!(error.message().starts_with("it needs {\"tokens\""), "{error}");
    }
    let error = Host::new().load(register, r#"{"tokens": {"": "ann"}}"#).unwrap_err();
    assert!(error.message().contains("can be empty"), "{error}");
}
