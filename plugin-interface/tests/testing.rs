//! The host of the feature `testing`: it behaves as the real one where a plugin can see it.
// A test fails loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use plugin_interface::testing::{Host, Plugin, TestExchange};
use plugin_interface::{
    Authenticator, Body, BodyStream, Chunk, Error, ErrorKind, ErrorPage, Exchange, Failure, Frame,
    HostServices, Middleware, Registrar, Request, Response, Result, ReverseProxy, Route, Step,
    Verdict,
};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Middlewares of one function for both directions each, as one plugin.
struct Hook(fn(&mut Exchange<'_>) -> Result<Step>);

impl Middleware for Hook {
    fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        (self.0)(exchange)
    }

    fn on_response(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        (self.0)(exchange)
    }
}

fn hooks(hooks: &[fn(&mut Exchange<'_>) -> Result<Step>]) -> Plugin {
    let register = |registrar: &mut Registrar<'_>, _: HostServices, _: &str| {
        for hook in hooks {
            registrar.middleware("hook", Hook(*hook));
        }
        Ok(())
    };
    Host::new().load(register, "").unwrap()
}

/// A middleware that only waits.
struct Waits<F>(HostServices, F);

impl<F, R> Middleware for Waits<F>
where
    F: Fn(HostServices) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Step>> + Send + 'static,
{
    fn on_request(&self, _: &mut Exchange<'_>) -> Result<Step> {
        Ok(Step::Defer)
    }

    async fn on_request_async(&self, _: &mut Exchange<'_>) -> Result<Step> {
        (self.1)(self.0).await
    }
}

/// Runs a future in a deferred hook.
fn deferred<F, R>(host: &Host, call: F) -> Result<TestExchange>
where
    F: Fn(HostServices) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Step>> + Send + 'static,
{
    let register = |registrar: &mut Registrar<'_>, host: HostServices, _: &str| {
        registrar.middleware("waits", Waits(host, call));
        Ok(())
    };
    let plugin = host.load(register, "")?;
    let mut exchange = TestExchange::get("/");
    plugin.on_request(&mut exchange).map(|()| exchange)
}

#[test]
fn a_plugin_that_cannot_register_is_refused_with_the_reason() {
    let host = Host::new();
    let error = host.load(|_, _, _| Ok(()), "").unwrap_err();
    assert_eq!(error.message(), "it registers nothing");
    let error = host.load(|_, _, config| Err(Error::new(config)), "as asked").unwrap_err();
    assert_eq!(error.message(), "as asked");
    let error = host.load(|_, _, _| panic!("boom"), "").unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::PANICKED, "boom"));
}

#[test]
fn a_request_is_what_the_test_says_and_becomes_what_the_plugin_makes_of_it() {
    let plugin = hooks(&[|exchange| {
        assert_eq!((exchange.method(), exchange.scheme()), ("POST", "https"));
        assert_eq!((exchange.path(), exchange.query()), ("/a", Some("b=c")));
        assert_eq!(exchange.authority(), "tenon.test:443");
        assert_eq!(exchange.peer().to_string(), "[2001:db8::1]:5");
        assert_eq!((exchange.identity(), exchange.value("other.key")), (Some("ann"), Some("1")));
        assert_eq!(exchange.header_str("ACCEPT"), Some("a"));
        assert_eq!(exchange.status(), 0);
        exchange.set_method("PUT")?;
        exchange.set_target("/b?d")?;
        exchange.set_upstream("http://127.0.0.1:81")?;
        exchange.append_header("accept", "c")?;
        exchange.set_value("mine.key", "2");
        let body = exchange.take_body();
        exchange.set_body(body.map_data(|it| Chunk::from_owner(it.as_ref().to_ascii_uppercase())));
        Ok(Step::Next)
    }]);
    let mut exchange = TestExchange::new("POST", "/a?b=c")
        .with_origin("https", "tenon.test:443")
        .with_peer("[2001:db8::1]:5".parse().unwrap())
        .with_identity("ann")
        .with_value("other.key", "1")
        .with_header("accept", "a")
        .with_header("Accept", "b")
        .with_body("body");
    plugin.on_request(&mut exchange).unwrap();
    assert_eq!((exchange.method(), exchange.target()), ("PUT", "/b?d"));
    assert_eq!(exchange.upstream().as_deref(), Some("http://127.0.0.1:81"));
    assert_eq!(exchange.request_headers("accept"), ["a", "b", "c"]);
    assert_eq!((exchange.value("mine.key"), exchange.status()), (Some("2"), None));
    assert_eq!(exchange.text().unwrap(), "BODY");
}

/// What the real host refuses is refused here: a test must not pass on it.
#[test]
fn edits_that_the_host_refuses_are_refused() {
    type Hook = fn(&mut Exchange<'_>) -> Result<Step>;
    let refused: [(Hook, &str); 9] = [
        (|it| it.set_header("a b", "").map(|()| Step::Next), "a b: not a valid name"),
        (|it| it.set_header("a", "b\n").map(|()| Step::Next), "a: not a valid value"),
        (
            |it| it.append_header("Content-Length", "1").map(|()| Step::Next),
            "Content-Length: the host sets the headers of the connection itself",
        ),
        (|it| it.set_target("a").map(|()| Step::Next), "the target: not a valid value"),
        (|it| it.set_method("CONNECT").map(|()| Step::Next), "the method: not a valid value"),
        (
            |it| it.set_upstream("http://a/b").map(|()| Step::Next),
            "the upstream: not a valid value",
        ),
        (|it| it.set_status(404).map(|()| Step::Next), "the status: there is no response yet"),
        (|_| Ok(Step::Respond(Response::new(99))), "99 is no status to answer with"),
        (
            |_| Ok(Step::Respond(Response::new(200).header("a b", ""))),
            "the header \"a b\" has a name that HTTP does not allow",
        ),
    ];
    for (hook, reason) in refused {
        let error = hooks(&[hook]).on_request(&mut TestExchange::get("/")).unwrap_err();
        assert_eq!(error.message(), reason);
    }
    let plugin = hooks(&[|_| panic!("boom")]);
    let error = plugin.on_request(&mut TestExchange::get("/")).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::PANICKED, "boom"));
}

/// Each of three leaves its mark, the second answers if it is asked to.
#[test]
fn who_let_a_request_pass_sees_the_response_in_reverse() {
    fn mark(exchange: &mut Exchange<'_>, name: &str) -> Result<Step> {
        if exchange.status() == 0 {
            exchange.set_slot(name.to_owned());
            let answer = name == "two" && exchange.path() == "/answer";
            return Ok(if answer { Step::Respond(Response::text(201, "two")) } else { Step::Next });
        }
        let kept = exchange.slot::<String>().cloned();
        exchange.append_header("x-seen", kept.unwrap())?;
        Ok(Step::Next)
    }
    let plugin = hooks(&[|it| mark(it, "one"), |it| mark(it, "two"), |it| mark(it, "three")]);
    let mut exchange = TestExchange::get("/");
    let error = plugin.on_response(&mut exchange).unwrap_err();
    assert!(error.message().starts_with("there is no response yet"), "{error}");
    plugin.on_request(&mut exchange).unwrap();
    exchange.respond(Response::text(200, "upstream"));
    plugin.on_response(&mut exchange).unwrap();
    assert_eq!(exchange.response_headers("x-seen"), ["three", "two", "one"]);
    assert_eq!((exchange.status(), exchange.text().unwrap().as_str()), (Some(200), "upstream"));

    let mut exchange = TestExchange::get("/answer");
    plugin.on_request(&mut exchange).unwrap();
    plugin.on_response(&mut exchange).unwrap();
    assert_eq!(exchange.response_headers("x-seen"), ["one"]);
    assert_eq!((exchange.status(), exchange.text().unwrap().as_str()), (Some(201), "two"));
}

#[test]
fn two_plugins_of_one_exchange_have_slots_of_their_own() {
    let count: fn(&mut Exchange<'_>) -> Result<Step> = |exchange| {
        let count = exchange.slot::<u8>().map_or(1, |count| *count + 1);
        exchange.set_slot(count);
        exchange.append_header("x-count", count.to_string())?;
        Ok(Step::Next)
    };
    let (one, two) = (hooks(&[count]), hooks(&[count]));
    let mut exchange = TestExchange::get("/");
    for plugin in [&one, &two, &one] {
        plugin.on_request(&mut exchange).unwrap();
    }
    assert_eq!(exchange.request_headers("x-count"), ["1", "1", "2"]);
}

/// All parts at once; the path says what they do.
struct Parts;

impl Authenticator for Parts {
    fn challenge(&self) -> String {
        "Test".to_owned()
    }

    fn authenticate(&self, exchange: &mut Exchange<'_>) -> Result<Verdict> {
        Ok(match exchange.path() {
            "/accept" => Verdict::Accept("ann".to_owned()),
            "/nobody" => Verdict::Accept(String::new()),
            "/reject" => Verdict::Reject(Response::new(401)),
            "/abstain" => Verdict::Abstain,
            _ => Verdict::Defer,
        })
    }

    async fn authenticate_async(&self, exchange: &mut Exchange<'_>) -> Result<Verdict> {
        match exchange.path() {
            "/again" => Ok(Verdict::Defer),
            _ => Ok(Verdict::Accept("late".to_owned())),
        }
    }
}

impl ReverseProxy for Parts {
    fn rewrite(&self, exchange: &mut Exchange<'_>, route: Route<'_>) -> Result<Step> {
        exchange.set_header("x-route", format!("{} {}", route.target(), route.prefix()))?;
        Ok(if exchange.path() == "/late" { Step::Defer } else { Step::Next })
    }

    async fn rewrite_async(&self, exchange: &mut Exchange<'_>, _: Route<'_>) -> Result<Step> {
        exchange.set_header("x-late", "1")?;
        Ok(Step::Next)
    }
}

impl ErrorPage for Parts {
    fn render(&self, exchange: &Exchange<'_>, failure: Failure<'_>) -> Result<Response> {
        Ok(Response::text(200, format!("{} at {}", failure.reason(), exchange.path())))
    }
}

fn parts() -> Plugin {
    let register = |registrar: &mut Registrar<'_>, _: HostServices, _: &str| {
        registrar.authenticator("test", Parts);
        registrar.reverse_proxy(Parts);
        registrar.error_page(Parts);
        Ok(())
    };
    Host::new().load(register, "").unwrap()
}

#[test]
fn an_authenticator_accepts_rejects_or_abstains() {
    let ask = |path: &str| {
        let mut exchange = TestExchange::get(path);
        let result = parts().authenticate(&mut exchange);
        result.map(|()| (exchange.identity().map(str::to_owned), exchange.status()))
    };
    assert_eq!(ask("/accept").unwrap(), (Some("ann".to_owned()), None));
    assert_eq!(ask("/late").unwrap(), (Some("late".to_owned()), None));
    assert_eq!(ask("/reject").unwrap(), (None, Some(401)));
    assert_eq!(ask("/abstain").unwrap(), (None, None));
    assert_eq!(ask("/nobody").unwrap_err().message(), "it accepted a user without a name");
    assert_eq!(ask("/again").unwrap_err().message(), "an asynchronous hook deferred again");
    assert_eq!(parts().challenges(), ["Test"]);
}

#[test]
fn patches_are_called_as_the_host_does() {
    let plugin = parts();
    assert_eq!(
        plugin.registers(),
        ["authenticator test", "patch reverse_proxy", "patch error_page"]
    );
    let mut exchange = TestExchange::get("/late");
    plugin.rewrite(&mut exchange, "http://127.0.0.1:81", "/p").unwrap();
    assert_eq!(exchange.request_header("x-route"), Some("http://127.0.0.1:81 /p"));
    assert_eq!(exchange.request_header("x-late"), Some("1"));

    exchange.respond(Response::text(200, "half of it"));
    plugin.render(&mut exchange, 502).unwrap();
    assert_eq!(exchange.status(), Some(502), "the failure's, not the page's");
    assert_eq!(exchange.text().unwrap(), "Bad Gateway at /late");

    let without = hooks(&[|_| Ok(Step::Next)]);
    for error in [
        without.authenticate(&mut exchange).unwrap_err(),
        without.rewrite(&mut exchange, "http://a", "/").unwrap_err(),
        without.render(&mut exchange, 500).unwrap_err(),
    ] {
        assert!(error.message().starts_with("it registers no "), "{error}");
    }
}

#[test]
fn a_sleep_ends_at_once_and_moves_the_clock() {
    let host = Host::new();
    let services = host.services();
    services.store_set("short", b"1", Some(SECOND * 59)).unwrap();
    services.store_set("long", b"2", Some(SECOND * 61)).unwrap();
    services.store_set("ever", b"3", None).unwrap();
    assert_eq!(services.take_token("a", SECOND * 59).unwrap(), 1);
    assert_eq!(services.take_token("a", SECOND * 61).unwrap(), 2);
    deferred(&host, |host| async move {
        host.sleep(SECOND * 60).await;
        Ok(Step::Next)
    })
    .unwrap();
    let values = ["short", "long", "ever"].map(|key| services.store_get(key).unwrap());
    assert_eq!(values, [None, Some(b"2".to_vec()), Some(b"3".to_vec())]);
    assert_eq!(services.take_token("a", SECOND).unwrap(), 2, "one of the two is over");
    assert_eq!(services.release_tokens("a").unwrap(), 2);
    let deleted = ["short", "long", "long"].map(|key| services.store_delete(key).unwrap());
    assert_eq!(deleted, [false, true, false]);
}

#[test]
fn tasks_run_when_their_time_comes() {
    let host = Host::new();
    let services = host.services();
    let ticks = services.counter("ticks", "", &[]).unwrap();
    services.spawn(async move {
        for _ in 0..3 {
            services.sleep(SECOND * 10).await;
            ticks.add(1);
        }
        services.spawn(async { panic!("boom") });
        Err(Error::new("it is over"))
    });
    let mut seen = Vec::new();
    for seconds in [9, 1, 15, 5, 100] {
        host.advance(SECOND * seconds);
        seen.push(host.metric("ticks", &[]).unwrap());
    }
    assert_eq!(seen, [0.0, 1.0, 2.0, 3.0, 3.0]);
    assert_eq!(host.task_errors(), ["it is over", "boom"]);
}

#[test]
fn what_never_ends_is_an_error_and_no_hang() {
    let host = Host::new();
    let error = deferred(&host, |host| async move {
        loop {
            host.sleep(SECOND * 60).await;
        }
    });
    assert_eq!(error.err().unwrap().message(), "it has not ended after a day of the test's time");
}

/// As a plugin's own runtime would.
#[test]
fn another_thread_may_end_a_wait() {
    struct Shared(Mutex<(Option<std::task::Waker>, bool)>);
    let host = Host::new();
    let exchange = deferred(&host, |_| {
        let shared = Arc::new(Shared(Mutex::default()));
        let other = shared.clone();
        thread::spawn(move || {
            let mut state = other.0.lock().unwrap();
            state.1 = true;
            if let Some(waker) = state.0.take() {
                waker.wake();
            }
        });
        std::future::poll_fn(move |cx| {
            let mut state = shared.0.lock().unwrap();
            if state.1 {
                return Poll::Ready(Ok(Step::Respond(Response::new(204))));
            }
            state.0 = Some(cx.waker().clone());
            Poll::Pending
        })
    });
    assert_eq!(exchange.unwrap().status(), Some(204));
}

#[test]
fn requests_of_a_plugin_are_answered_by_the_test() {
    let host = Host::new();
    let call = |host: HostServices| async move {
        let request = Request::new("POST", "http://service.test/a").header("X-User", "ann");
        let answer = host.http(request.body(Body::from_owner("question"))).await?;
        Ok(Step::Respond(answer))
    };
    let error = deferred(&host, call).err().unwrap();
    let words = "the test has no answer for POST http://service.test/a: see Host::answer";
    assert_eq!(error.message(), words);

    host.answer(|request| match request.body.as_slice() {
        b"question" => Ok(Response::text(203, "answer")),
        _ => Err(Error::new("another question")),
    });
    let mut exchange = deferred(&host, call).unwrap();
    assert_eq!((exchange.status(), exchange.text().unwrap().as_str()), (Some(203), "answer"));
    let requests = host.requests();
    assert_eq!((requests.len(), requests[1].method.as_str()), (2, "POST"));
    assert_eq!(requests[1].header("x-user"), Some("ann"));
}

#[test]
fn metrics_and_events_are_there_to_be_read() {
    let host = Host::new();
    let services = host.services();
    let [a, b] = ["a", "b"].map(|it| services.counter("n_total", "", &[("of", it)]).unwrap());
    services.counter("n_total", "", &[("of", "a")]).unwrap().add(1);
    a.add(2);
    b.add(5);
    let gauge = services.gauge("g", "", &[]).unwrap();
    gauge.set(7.0);
    gauge.set(4.0);
    let histogram = services.histogram("h", "", &[]).unwrap();
    histogram.observe(0.5);
    histogram.observe(0.25);
    assert_eq!(host.metric("n_total", &[("of", "a")]), Some(3.0));
    assert_eq!(host.metric("n_total", &[("of", "b")]), Some(5.0));
    assert_eq!(host.metric("n_total", &[]), None);
    assert_eq!((host.metric("g", &[]), host.metric("h", &[])), (Some(4.0), Some(0.75)));
    let error = services.counter("g", "", &[]).err().unwrap();
    assert_eq!(error.message(), "g is a metric of another kind already");
    assert!(services.counter("a-b", "", &[]).is_err() && services.counter("", "", &[]).is_err());

    services.emit(r#"{"event": "a"}"#).unwrap();
    assert_eq!(host.events(), [r#"{"event": "a"}"#]);
}

/// A body that asks the host for a timer before each piece.
struct Slow(HostServices, Option<Pin<Box<dyn Future<Output = ()> + Send>>>, u8);

impl BodyStream for Slow {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let Self(host, sleep, left) = self;
        if *left == 0 {
            return Poll::Ready(None);
        }
        let waiting = sleep.get_or_insert_with(|| Box::pin(host.sleep(SECOND)));
        ready!(waiting.as_mut().poll(cx));
        (*sleep, *left) = (None, *left - 1);
        Poll::Ready(Some(Ok(Frame::Data(Chunk::from_owner("x")))))
    }
}

#[test]
fn a_body_may_wait_for_the_host() {
    let host = Host::new();
    let mut exchange = TestExchange::get("/");
    exchange.respond(Response::new(200).body(Body::new(Slow(host.services(), None, 3))));
    let body = host.block_on(exchange.take_body().collect(9)).unwrap();
    assert_eq!(body.unwrap(), b"xxx");
    exchange.respond(Response::new(200).body(Body::from_owner([0xff_u8])));
    assert!(exchange.text().is_err(), "that is no text");
}
