//! What a plugin sees and does through an exchange.

use crate::state::State;
use crate::{call, failure, hook, inside, ready};
use plugin_interface::host::RawStep;
use plugin_interface::{Body, Error, ErrorKind, Exchange, Response, Step};
use std::net::SocketAddr;
use std::sync::Arc;

#[test]
fn the_message_is_read_without_copying_it() {
    let mut state = State::new();
    let path = state.path.as_ptr() as usize;
    inside(&mut state, move |exchange| {
        assert_eq!((exchange.method(), exchange.scheme()), ("GET", "https"));
        assert_eq!(exchange.authority(), "tenon.test:443");
        assert_eq!((exchange.path(), exchange.query()), ("/a", Some("b=c")));
        assert_eq!(exchange.path().as_ptr() as usize, path);
        assert_eq!(exchange.status(), 0);
        assert_eq!(exchange.header("HOST"), Some(&b"tenon.test"[..]));
        assert_eq!(exchange.header_str("accept"), Some("a"));
        assert_eq!(exchange.header("x-none"), None);
        assert_eq!(exchange.request_header("user-agent"), Some(&b"test"[..]));
        assert_eq!(exchange.peer(), SocketAddr::from(([192, 0, 2, 1], 1234)));
        assert_eq!(exchange.identity(), Some("alice"));
        Ok(())
    });
    state.peer = "[2001:db8::1]:1".parse().unwrap();
    (state.identity, state.query) = (None, None);
    state.headers.push(("x-bytes".to_owned(), vec![0xff]));
    inside(&mut state, |exchange| {
        assert_eq!(exchange.peer(), "[2001:db8::1]:1".parse().unwrap());
        assert_eq!((exchange.identity(), exchange.query()), (None, None));
        assert_eq!(
            (exchange.header_str("x-bytes"), exchange.header("x-bytes")),
            (None, Some(&[0xff][..]))
        );
        Ok(())
    });
}

#[test]
fn the_message_is_changed_in_place() {
    let mut state = State::new();
    state.status = 200;
    inside(&mut state, |exchange| {
        exchange.set_method("POST")?;
        exchange.set_target("/x?y")?;
        exchange.set_upstream("http://127.0.0.1:1")?;
        exchange.set_status(404)?;
        exchange.set_header("accept", "c")?;
        exchange.append_header("accept", vec![0xff])?;
        assert!(exchange.remove_header("host") && !exchange.remove_header("host"));
        Ok(())
    });
    assert_eq!((state.method.as_str(), state.path.as_str()), ("POST", "/x"));
    assert_eq!((state.query.as_deref(), state.status), (Some("y"), 404));
    assert_eq!(state.upstream.as_deref(), Some("http://127.0.0.1:1"));
    assert_eq!(state.values_of("accept"), [&b"c"[..], &[0xff]]);
    assert!(state.values_of("host").is_empty());
}

#[test]
fn what_the_host_refuses_is_an_error_that_says_why() {
    let mut state = State::new();
    let refused = |state: &mut State, name: &'static str| {
        let step = call(state, move |exchange| exchange.set_header(name, "x").map(|()| Step::Next));
        failure(step).message().to_owned()
    };
    assert_eq!(refused(&mut state, "bad name"), "bad name: not a valid name");
    assert_eq!(refused(&mut state, "bad-value"), "bad-value: not a valid value");
    assert_eq!(
        refused(&mut state, "one-too-many"),
        "one-too-many: the message has too many headers"
    );
    let framing = "connection: the host sets the headers of the connection itself";
    assert_eq!(refused(&mut state, "connection"), framing);
    inside(&mut state, |exchange| {
        let error = exchange.set_status(200).unwrap_err();
        assert_eq!(error.message(), "the status: there is no response yet");
        let error = exchange.set_target("no question").unwrap_err();
        assert_eq!(error.message(), "the target: not a valid value");
        Ok(())
    });
}

#[test]
fn headers_are_visited_until_the_plugin_has_enough() {
    let mut state = State::new();
    inside(&mut state, |exchange| {
        let mut all = Vec::new();
        exchange.each_header(|name, value| {
            all.push(format!("{name}={}", String::from_utf8_lossy(value)));
            // Another walk inside the walk: reads may be nested.
            let mut count = 0;
            exchange.each_header(|_, _| {
                count += 1;
                count < 2
            });
            count == 2
        });
        assert_eq!(all, ["host=tenon.test", "accept=a", "accept=b"]);
        let mut first = None;
        exchange.each_header(|name, _| {
            first = Some(name.to_owned());
            false
        });
        assert_eq!(first.as_deref(), Some("host"));
        Ok(())
    });
}

#[test]
fn values_are_text_for_all_and_slots_are_anything_for_one() {
    let mut state = State::new();
    inside(&mut state, |exchange| {
        assert_eq!(exchange.value("a.key"), None);
        exchange.set_value("a.key", "one");
        exchange.set_value("a.key", "two");
        assert_eq!(exchange.value("a.key"), Some("two"));

        assert!(exchange.slot::<Vec<u8>>().is_none());
        exchange.set_slot(vec![1_u8]);
        assert!(exchange.slot::<String>().is_none(), "of another type");
        exchange.slot::<Vec<u8>>().unwrap().push(2);
        Ok(())
    });
    // The host moves its state between the hooks.
    let mut moved = Box::new(state);
    inside(&mut moved, |exchange| {
        assert_eq!(exchange.slot::<Vec<u8>>().unwrap(), &[1, 2]);
        exchange.set_slot("other".to_owned());
        assert!(exchange.slot::<Vec<u8>>().is_none());
        Ok(())
    });
}

#[test]
fn a_slot_is_dropped_once_on_whichever_thread() {
    let kept = Arc::new(());
    let mut state = State::new();
    let given = kept.clone();
    inside(&mut state, move |exchange| {
        exchange.set_slot(given.clone());
        exchange.set_slot(given.clone());
        Ok(())
    });
    assert_eq!(Arc::strong_count(&kept), 2, "the slot's; the first was replaced, the hook dropped");
    std::thread::spawn(move || drop(state)).join().unwrap();
    assert_eq!(Arc::strong_count(&kept), 1);
}

#[test]
fn a_body_is_taken_and_another_put_in_its_place() {
    let mut state = State::new();
    inside(&mut state, |exchange| {
        let body = exchange.take_body();
        let mut rest = exchange.take_body();
        assert_eq!(rest.size_hint().lower, 0, "what is taken is no longer there");
        exchange.set_body(body);
        Ok(())
    });
    assert_eq!(ready(std::mem::take(&mut state.body).collect(9)).unwrap(), b"body");
}

#[test]
fn all_steps_arrive_in_both_directions() {
    let mut state = State::new();
    let middleware = hook(|exchange| {
        Ok(match exchange.header_str("x-step") {
            Some("respond") => {
                Step::Respond(Response::text(403, "no").header("x-a", "1").header("x-a", [0xff]))
            }
            Some("defer") => Step::Defer,
            Some("fail") => return Err(Error::new("as asked").context("trying")),
            Some("io") => Err(std::io::Error::other("on the disk"))?,
            _ => Step::Next,
        })
    });
    for respond in [false, true] {
        let mut step = |wish: &str| {
            state.headers = vec![("x-step".to_owned(), wish.into())];
            let exchange = Exchange::new(&mut state);
            if respond { middleware.on_response(exchange) } else { middleware.on_request(exchange) }
        };
        assert!(matches!(step("next"), RawStep::Next));
        assert!(matches!(step("defer"), RawStep::Defer));
        let error = failure(step("fail"));
        assert_eq!((error.kind(), error.message()), (ErrorKind::FAILED, "trying: as asked"));
        assert_eq!(failure(step("io")).to_string(), "on the disk");
        let RawStep::Respond(response) = step("respond") else { panic!("it should answer") };
        assert_eq!((response.status(), response.header_value("X-A")), (403, Some(&b"1"[..])));
        let parts = response.into_parts();
        assert_eq!(parts.headers.len(), 3);
        assert_eq!(parts.headers[2].value.as_slice(), [0xff]);
        assert_eq!(ready(parts.body.collect(9)).unwrap(), b"no");
    }
}

#[test]
fn one_object_is_called_from_many_threads() {
    let middleware = hook(|exchange| {
        let path = exchange.path().to_owned();
        exchange.set_header("x-seen", path)?;
        Ok(Step::Next)
    });
    std::thread::scope(|scope| {
        for number in 0..4 {
            let middleware = &middleware;
            scope.spawn(move || {
                let mut state = State::new();
                state.path = format!("/{number}");
                let step = middleware.on_request(Exchange::new(&mut state));
                assert!(matches!(step, RawStep::Next));
                assert_eq!(state.values_of("x-seen"), [state.path.as_bytes()]);
            });
        }
    });
}

/// The handle is lent for the call only; whatever a plugin puts into the state stays the state's.
#[test]
fn a_body_made_of_the_exchanges_own_body_outlives_the_call() {
    let mut state = State::new();
    for _ in 0..3 {
        inside(&mut state, |exchange| {
            let body = exchange.take_body().map_data(|chunk| chunk);
            exchange.set_body(body);
            Ok(())
        });
    }
    let body: Body = state.body;
    assert_eq!(ready(body.collect(9)).unwrap(), b"body");
}
