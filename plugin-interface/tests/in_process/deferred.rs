//! Asynchronous hooks: what they may hold across a wait, and that they can be dropped at any.

use crate::state::State;
use crate::{Bomb, failure, ready};
use plugin_interface::host::abi_stable::std_types::RSlice;
use plugin_interface::host::{MiddlewareObject, RawExchange, RawStep, middleware_object};
use plugin_interface::{ErrorKind, Exchange, Middleware, Response, Result, Step};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

/// Waits once.
#[derive(Default)]
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Does what the header `x-do` says.
#[derive(Default)]
struct Waits {
    kept: Arc<Mutex<Option<Waker>>>,
}

impl Middleware for Waits {
    async fn on_request_async(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        let wish = exchange.header_str("x-do").unwrap_or_default().to_owned();
        let _bomb = wish.contains("bomb").then(|| Bomb);
        assert!(wish != "panic first", "boom first");
        // Borrowed from the host's own state across the wait.
        let path = exchange.path();
        Yield::default().await;
        let path = path.to_owned();
        assert!(wish != "panic later", "boom later");
        if wish == "keep the waker" {
            let keep = |cx: &mut Context<'_>| {
                *self.kept.lock().unwrap() = Some(cx.waker().clone());
                Poll::<()>::Pending
            };
            std::future::poll_fn(keep).await;
        }
        if wish == "bomb" {
            return Ok(Step::Next); // what is returned is leaked when a drop behind it panics
        }
        exchange.set_header("x-path", path)?;
        Ok(Step::Respond(Response::new(204)))
    }

    async fn on_response_async(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        Yield::default().await;
        exchange.set_header("x-response", "seen")?;
        Ok(Step::Next)
    }
}

fn object() -> MiddlewareObject {
    middleware_object(Waits::default())
}

fn state(wish: &str) -> State {
    let mut state = State::new();
    state.headers = vec![("x-do".to_owned(), wish.into())];
    state
}

/// The state is the host's again once the future is gone, done or not.
fn assert_released(mut state: State, answered: bool) {
    state.set_header("x-mine".into(), RSlice::from_slice(b"again"));
    assert_eq!(state.values_of("x-mine"), [b"again"]);
    assert_eq!(state.values_of("x-path").len(), usize::from(answered));
}

#[test]
fn a_deferred_hook_goes_on_where_it_waited() {
    let (middleware, mut state) = (object(), state("respond"));
    let step = ready(middleware.on_request_async(Exchange::new(&mut state)));
    assert!(matches!(step, RawStep::Respond(response) if response.status() == 204));
    let step = ready(middleware.on_response_async(Exchange::new(&mut state)));
    assert!(matches!(step, RawStep::Next));
    assert_eq!(
        (state.values_of("x-path"), state.values_of("x-response")),
        (vec![&b"/a"[..]], vec![&b"seen"[..]])
    );
    assert_released(state, true);
}

#[test]
fn a_panic_at_any_poll_is_a_failure() {
    for wish in ["panic first", "panic later"] {
        let (middleware, mut state) = (object(), state(wish));
        let error = failure(ready(middleware.on_request_async(Exchange::new(&mut state))));
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::PANICKED, &*wish.replace("panic", "boom"))
        );
        assert_released(state, false);
    }
}

#[test]
fn a_deferred_hook_is_dropped_at_any_wait() {
    let mut cx = Context::from_waker(Waker::noop());
    for wish in ["nothing", "bomb"] {
        for polls in 0..2 {
            let (middleware, mut state) = (object(), state(wish));
            {
                let mut call = pin!(middleware.on_request_async(Exchange::new(&mut state)));
                for _ in 0..polls {
                    assert!(call.as_mut().poll(&mut cx).is_pending());
                }
            }
            assert_released(state, false);
        }
    }
    // At its end what it holds is dropped inside the last poll.
    let (middleware, mut state) = (object(), state("bomb"));
    let error = failure(ready(middleware.on_request_async(Exchange::new(&mut state))));
    assert_eq!(error.kind(), ErrorKind::PANICKED);
    drop(middleware);
}

#[test]
fn a_deferred_hook_moves_between_threads() {
    let (middleware, mut state) = (object(), state("respond"));
    thread::scope(|scope| {
        let mut call = Box::pin(middleware.on_request_async(Exchange::new(&mut state)));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let step = scope.spawn(move || ready(call)).join().unwrap();
        assert!(matches!(step, RawStep::Respond(_)));
    });
    assert_released(state, true);
}

/// A plugin that keeps a waker and wakes it when the host has long forgotten the request.
#[test]
fn a_waker_outlives_its_future() {
    struct Count(std::sync::atomic::AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let count = Arc::new(Count(0.into()));
    let waker = Waker::from(count.clone());
    let kept = Arc::new(Mutex::new(None));
    let (middleware, mut state) =
        (middleware_object(Waits { kept: kept.clone() }), state("keep the waker"));
    {
        let mut call = pin!(middleware.on_request_async(Exchange::new(&mut state)));
        for _ in 0..2 {
            assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
    }
    drop((middleware, waker));
    assert_released(state, false);
    let woken = count.0.load(std::sync::atomic::Ordering::Relaxed);
    let waker = kept.lock().unwrap().take().unwrap();
    thread::spawn(move || waker.wake()).join().unwrap();
    assert_eq!(count.0.load(std::sync::atomic::Ordering::Relaxed), woken + 1);
    assert_eq!(Arc::strong_count(&count), 1);
}

/// A future that is polled after its end: a host's mistake, and no undefined behaviour.
#[test]
fn a_future_that_is_over_fails_when_it_is_polled_again() {
    let (middleware, mut state) = (object(), state("respond"));
    let mut cx = Context::from_waker(Waker::noop());
    let mut call = Box::pin(middleware.on_request_async(Exchange::new(&mut state)));
    assert!(call.as_mut().poll(&mut cx).is_pending());
    assert!(call.as_mut().poll(&mut cx).is_ready());
    let Poll::Ready(step) = call.as_mut().poll(&mut cx) else { panic!("it waits for ever") };
    assert_eq!(failure(step).kind(), ErrorKind::PANICKED);
}

#[test]
fn who_defers_without_an_asynchronous_hook_is_told() {
    struct Nothing;
    impl Middleware for Nothing {}
    let (middleware, mut state) = (middleware_object(Nothing), State::new());
    let error = failure(ready(middleware.on_request_async(Exchange::new(&mut state))));
    assert_eq!(error.message(), "on_request deferred, but there is no on_request_async");
    let error = failure(ready(middleware.on_response_async(Exchange::new(&mut state))));
    assert_eq!(error.message(), "on_response deferred, but there is no on_response_async");
}
