use crate::register;
use plugin_interface::testing::{Host, TestExchange};
use plugin_interface::{Error, Response, Result};

/// A request of ann's, with a service that answers so.
fn ask(answer: fn() -> Result<Response>) -> (Host, Result<TestExchange>) {
    let host = Host::new();
    host.answer(move |_| answer());
    let plugin = host.load(register, include_str!("../config.json")).unwrap();
    let mut exchange = TestExchange::get("/a?b=c").with_identity("ann");
    let result = plugin.on_request(&mut exchange);
    (host, result.map(|()| exchange))
}

#[test]
fn the_service_is_told_who_wants_what() {
    let (host, exchange) = ask(|| Ok(Response::new(204)));
    assert_eq!(exchange.unwrap().status(), None);
    let requests = host.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].url, "http://127.0.0.1:8090/may");
    let told = ["x-user", "x-method", "x-path"].map(|name| requests[0].header(name));
    assert_eq!(told, [Some("ann"), Some("GET"), Some("/a")]);
}

#[test]
fn who_may_not_is_told_so() {
    let (_, exchange) = ask(|| Ok(Response::new(403)));
    assert_eq!(exchange.unwrap().status(), Some(403));
}

#[test]
fn nobody_gets_in_because_the_service_is_down() {
    let (_, exchange) = ask(|| Ok(Response::new(500)));
    assert_eq!(exchange.err().unwrap().message(), "asking: the service answered 500");
    let (_, exchange) = ask(|| Err(Error::new("connection refused")));
    assert_eq!(exchange.err().unwrap().message(), "asking: connection refused");
}

#[test]
fn it_must_know_whom_to_ask() {
    let error = Host::new().load(register, "").unwrap_err();
    assert!(error.message().starts_with("it needs {\"url\""), "{error}");
}
