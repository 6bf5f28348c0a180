//! The replaceable parts: authenticator, reverse proxy, error page.

use crate::state::State;
use crate::{failure, ready};
use plugin_interface::host::abi_stable::std_types::{RErr, ROk};
use plugin_interface::host::{
    RawStep, RawVerdict, authenticator_object, error_page_object, reverse_proxy_object,
};
use plugin_interface::{
    Authenticator, Error, ErrorKind, ErrorPage, Exchange, Failure, Response, Result, ReverseProxy,
    Route, Step, Verdict,
};

/// All parts at once; the path says what they do.
pub(crate) struct Everything;

impl Authenticator for Everything {
    fn challenge(&self) -> String {
        "Basic realm=\"test\"".to_owned()
    }

    fn authenticate(&self, exchange: &mut Exchange<'_>) -> Result<Verdict> {
        Ok(match exchange.path() {
            "/accept" => Verdict::Accept("bob".to_owned()),
            "/abstain" => Verdict::Abstain,
            "/reject" => Verdict::Reject(Response::new(401)),
            "/fail" => return Err(Error::new("as asked")),
            "/panic" => panic!("boom"),
            _ => Verdict::Defer,
        })
    }

    async fn authenticate_async(&self, exchange: &mut Exchange<'_>) -> Result<Verdict> {
        assert!(exchange.path() != "/panic-later", "boom later");
        Ok(Verdict::Accept(exchange.path().to_owned()))
    }
}

impl ReverseProxy for Everything {
    fn rewrite(&self, exchange: &mut Exchange<'_>, route: Route<'_>) -> Result<Step> {
        match exchange.path() {
            "/panic" => panic!("boom"),
            "/defer" => return Ok(Step::Defer),
            _ => {}
        }
        exchange.set_header("x-route", format!("{} {}", route.target(), route.prefix()))?;
        Ok(Step::Next)
    }

    async fn rewrite_async(&self, exchange: &mut Exchange<'_>, route: Route<'_>) -> Result<Step> {
        exchange.set_header("x-late", route.prefix())?;
        Ok(Step::Next)
    }
}

impl ErrorPage for Everything {
    fn render(&self, exchange: &Exchange<'_>, failure: Failure<'_>) -> Result<Response> {
        match exchange.path() {
            "/panic" => panic!("boom"),
            "/fail" => Err(Error::new("as asked")),
            path => Ok(Response::text(failure.status(), format!("{} at {path}", failure.reason()))),
        }
    }
}

fn at(path: &str) -> State {
    State { path: path.to_owned(), ..State::new() }
}

#[test]
fn every_verdict_arrives() {
    let object = authenticator_object(Everything);
    assert_eq!(object.challenge(), "Basic realm=\"test\"");
    let verdict = |path: &str| object.authenticate(Exchange::new(&mut at(path)));
    assert!(matches!(verdict("/accept"), RawVerdict::Accept(user) if user == "bob"));
    assert!(matches!(verdict("/abstain"), RawVerdict::Abstain));
    assert!(matches!(verdict("/reject"), RawVerdict::Reject(it) if it.status() == 401));
    assert!(matches!(verdict("/defer"), RawVerdict::Defer));
    for (path, kind, message) in
        [("/fail", ErrorKind::FAILED, "as asked"), ("/panic", ErrorKind::PANICKED, "boom")]
    {
        let RawVerdict::Fail(error) = verdict(path) else { panic!("{path} is no failure") };
        assert!(error.kind() == kind && error.message() == message, "{error:?}");
    }
    let later = |path: &str| ready(object.authenticate_async(Exchange::new(&mut at(path))));
    assert!(matches!(later("/later"), RawVerdict::Accept(user) if user == "/later"));
    let RawVerdict::Fail(error) = later("/panic-later") else { panic!("a panic is an identity") };
    assert_eq!((error.kind(), error.message()), (ErrorKind::PANICKED, "boom later"));
}

/// A panic is never an identity, nor a challenge that nobody could meet.
#[test]
fn an_authenticator_that_panics_says_nothing() {
    struct Panics;
    impl Authenticator for Panics {
        fn challenge(&self) -> String {
            panic!("boom")
        }
        fn authenticate(&self, _: &mut Exchange<'_>) -> Result<Verdict> {
            Ok(Verdict::Defer)
        }
    }
    let object = authenticator_object(Panics);
    assert_eq!(object.challenge(), "");
    let later = ready(object.authenticate_async(Exchange::new(&mut State::new())));
    let RawVerdict::Fail(error) = later else { panic!("it should fail") };
    assert_eq!(error.message(), "authenticate deferred, but there is no authenticate_async");
}

#[test]
fn a_reverse_proxy_sees_its_route_in_both_calls() {
    let object = reverse_proxy_object(Everything);
    let route = Route::new("http://127.0.0.1:1", "/prefix");
    let mut state = at("/");
    assert!(matches!(object.rewrite(Exchange::new(&mut state), route), RawStep::Next));
    assert_eq!(state.values_of("x-route"), [b"http://127.0.0.1:1 /prefix"]);
    assert!(matches!(object.rewrite(Exchange::new(&mut at("/defer")), route), RawStep::Defer));
    assert!(matches!(ready(object.rewrite_async(Exchange::new(&mut state), route)), RawStep::Next));
    assert_eq!(state.values_of("x-late"), [b"/prefix"]);
    let error = failure(object.rewrite(Exchange::new(&mut at("/panic")), route));
    assert_eq!((error.kind(), error.message()), (ErrorKind::PANICKED, "boom"));
}

#[test]
fn an_error_page_is_rendered_or_fails() {
    let object = error_page_object(Everything);
    let shown = Failure::new(502, "Bad Gateway");
    let render = |path: &str| object.render(Exchange::new(&mut at(path)), shown);
    let ROk(page) = render("/x") else { panic!("no page") };
    let parts = page.into_parts();
    assert_eq!(parts.status, 502);
    assert_eq!(ready(parts.body.collect(99)).unwrap(), b"Bad Gateway at /x");
    let RErr(error) = render("/fail") else { panic!("a page") };
    assert_eq!((error.kind(), error.message()), (ErrorKind::FAILED, "as asked"));
    let RErr(error) = render("/panic") else { panic!("a page") };
    assert_eq!((error.kind(), error.message()), (ErrorKind::PANICKED, "boom"));
}
