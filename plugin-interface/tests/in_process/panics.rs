//! Panics stop in the plugin, whatever they carry and wherever they happen.

use crate::patches::Everything;
use crate::state::State;
use crate::{Bomb, call, failure, hook};
use plugin_interface::host::abi_stable::std_types::RStr;
use plugin_interface::host::{
    AuthenticatorObject, ErrorPageObject, MiddlewareObject, RawRegistrar, RawStep,
    ReverseProxyObject, middleware_object,
};
use plugin_interface::{ErrorKind, Exchange, Middleware, Registrar, Step};
use std::panic::panic_any;

#[test]
fn a_panics_words_are_its_error_whatever_it_carries() {
    let mut state = State::new();
    let mut message = |panic: fn()| {
        let error = failure(call(&mut state, move |_| {
            panic();
            Ok(Step::Next)
        }));
        assert_eq!(error.kind(), ErrorKind::PANICKED);
        error.message().to_owned()
    };
    assert_eq!(message(|| panic!("boom")), "boom");
    assert_eq!(message(|| panic!("boom {}", 1)), "boom 1");
    assert_eq!(message(|| panic_any(5)), "panic with a payload that is not text");
}

#[test]
#[cfg_attr(miri, ignore = "the payload of the second panic is leaked: to drop it may panic again")]
fn a_panic_that_panics_when_it_is_dropped_is_one_too() {
    let step = call(&mut State::new(), |_| panic_any(Bomb));
    assert_eq!(failure(step).message(), "panic with a payload that is not text");
}

#[test]
fn an_object_that_has_panicked_is_called_again() {
    let middleware = hook(|exchange| {
        assert!(exchange.path() != "/a", "boom");
        Ok(Step::Next)
    });
    let mut state = State::new();
    for _ in 0..2 {
        assert_eq!(failure(middleware.on_request(Exchange::new(&mut state))).message(), "boom");
        assert_eq!(failure(middleware.on_response(Exchange::new(&mut state))).message(), "boom");
    }
    state.path = "/b".to_owned();
    assert!(matches!(middleware.on_request(Exchange::new(&mut state)), RawStep::Next));
}

/// The host's loop over its headers is on the stack then.
#[test]
fn a_panic_in_a_visitor_passes_by_the_host() {
    let mut state = State::new();
    let error = failure(call(&mut state, |exchange| {
        let mut seen = 0;
        exchange.each_header(|name, _| {
            seen += 1;
            assert!(seen < 2, "boom at {name}");
            true
        });
        Ok(Step::Next)
    }));
    assert_eq!((error.kind(), error.message()), (ErrorKind::PANICKED, "boom at accept"));
    // A plugin may catch it itself.
    let step = call(&mut state, |exchange| {
        let walk = || exchange.each_header(|_, _| panic!("boom"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(walk)).is_err());
        Ok(Step::Next)
    });
    assert!(matches!(step, RawStep::Next));
}

/// A middleware that panics when it is dropped.
struct WithBomb(#[allow(dead_code)] Bomb);

impl Middleware for WithBomb {}

#[test]
fn a_panic_in_a_drop_ends_nothing() {
    let mut state = State::new();
    let step = call(&mut state, |exchange| {
        exchange.set_slot(Bomb);
        exchange.set_slot(Bomb); // drops the first
        Ok(Step::Next)
    });
    assert!(matches!(step, RawStep::Next));
    drop(state);

    drop(middleware_object(WithBomb(Bomb)));
}

#[derive(Default)]
struct Sink(Vec<String>);

impl RawRegistrar for Sink {
    fn middleware(&mut self, name: RStr<'_>, _: MiddlewareObject) {
        self.0.push(format!("middleware {name}"));
    }
    fn authenticator(&mut self, name: RStr<'_>, _: AuthenticatorObject) {
        self.0.push(format!("authenticator {name}"));
    }
    fn reverse_proxy(&mut self, _: ReverseProxyObject) {
        self.0.push("reverse_proxy".to_owned());
    }
    fn error_page(&mut self, _: ErrorPageObject) {
        self.0.push("error_page".to_owned());
    }
}

/// A sink that drops what it is given drops it as the plugin would: with its panics.
#[test]
fn everything_registered_arrives_and_is_dropped_safely() {
    let mut sink = Sink::default();
    {
        let mut registrar = Registrar::new(&mut sink);
        registrar.middleware("bomb", WithBomb(Bomb));
        registrar.authenticator("all", Everything);
        registrar.reverse_proxy(Everything);
        registrar.error_page(Everything);
    }
    assert_eq!(sink.0, ["middleware bomb", "authenticator all", "reverse_proxy", "error_page"]);
}
