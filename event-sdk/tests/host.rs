//! What the host lends, as a handler calls it and as its tests see it: against the fake host.

use event_sdk::events::{UserLogin, UserMetadata};
use event_sdk::testing::{Host, alert, latest_api_request, run, run_batch};
use event_sdk::types::{self, LockSpecV2, LockTarget, LockV2};
use event_sdk::{Error, Event, Outcome, Severity, lock, log, now, store};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

const MINUTE: Duration = Duration::from_secs(60);

fn login(user: &str) -> Event<'static> {
    let user = UserMetadata { user: user.into(), ..UserMetadata::default() };
    UserLogin { user: Some(user), ..UserLogin::default() }.into()
}

#[test]
fn tokens_expire_one_by_one() {
    let host = Host::new();
    assert_eq!(store::take_token("foo", MINUTE), 1);
    host.advance(MINUTE / 2);
    assert_eq!(store::take_token("foo", MINUTE), 2);
    host.advance(MINUTE / 2);
    assert_eq!(store::take_token("foo", MINUTE), 2, "the first is over, the second is not");
    assert_eq!(store::release_tokens("foo"), 2);
    assert_eq!(store::release_tokens("foo"), 0);
}

#[test]
fn scopes_are_exact() {
    Host::new();
    store::take_token("foobar", MINUTE);
    assert_eq!(store::take_token("foo", MINUTE), 1);
    assert_eq!(store::take_token([0xff, 0], MINUTE), 1, "a scope may be any bytes");
}

#[test]
fn values_last_until_they_expire_or_are_deleted() {
    let host = Host::new();
    store::set("kept", "1", None);
    store::set("short", [0, 1], Some(MINUTE));
    host.advance(MINUTE / 2);
    assert_eq!(store::get("short"), Some(vec![0, 1]));
    host.advance(MINUTE / 2);
    assert_eq!(store::get("short"), None);
    assert_eq!(store::get("kept"), Some(b"1".to_vec()));
    store::delete("kept");
    assert_eq!(store::get("kept"), None);
}

#[test]
fn a_part_of_a_second_is_a_second_and_never_for_ever() {
    let host = Host::new();
    store::set("value", "1", Some(Duration::ZERO));
    store::take_token("scope", Duration::from_millis(1));
    host.advance(Duration::from_millis(999));
    assert!(store::get("value").is_some());
    assert_eq!(store::take_token("scope", MINUTE), 2);
    host.advance(Duration::from_millis(1));
    assert!(store::get("value").is_none());
    assert_eq!(store::take_token("scope", MINUTE), 2);
}

#[test]
fn a_lock_holds_the_user_of_an_event() {
    let host = Host::new();
    let user = UserMetadata { user: "ann".into(), login: "root".into(), ..UserMetadata::default() };
    lock::create(&user, MINUTE, "Go away").unwrap();

    let spec = latest_api_request().unwrap().spec.unwrap();
    let target = LockTarget { user: "ann".into(), login: "root".into(), ..LockTarget::default() };
    assert_eq!(spec.target, Some(target));
    assert_eq!(spec.message, "Go away");
    assert_eq!(spec.expires, Some((now() + MINUTE).into()));
    assert_eq!(spec.created_at, Some(now().into()));
    assert_eq!(host.locks().len(), 1);
}

#[test]
fn a_lock_on_nobody_or_without_end_is_an_error() {
    let host = Host::new();
    assert!(lock::create(&UserMetadata::default(), MINUTE, "").is_err());
    let user = UserMetadata { user: "ann".into(), ..UserMetadata::default() };
    for too_long in [Duration::MAX, Duration::from_secs(9_000 * 365 * 86_400)] {
        assert!(lock::create(&user, too_long, "").is_err(), "{too_long:?}");
    }
    assert!(host.locks().is_empty());
    assert!(latest_api_request().is_none());
}

#[test]
fn any_other_lock_goes_to_the_host_as_it_is() {
    let host = Host::new();
    let target = LockTarget { role: "intern".into(), ..LockTarget::default() };
    let spec = LockSpecV2 { target: Some(target), ..LockSpecV2::default() };
    let locks = ["first", "second"].map(|name| LockV2 {
        metadata: Some(types::Metadata { name: name.into(), ..types::Metadata::default() }),
        spec: Some(spec.clone()),
        ..LockV2::default()
    });
    locks.iter().for_each(lock::upsert);
    assert_eq!(host.locks(), locks);
    assert_eq!(latest_api_request().as_ref(), locks.last());
}

#[test]
fn an_alert_carries_the_event_and_its_details() {
    let host = Host::new();
    event_sdk::alert(Severity::Info, "first").send();
    event_sdk::alert(Severity::High, "second")
        .event(&login("ann"))
        .field("attempts", 4)
        .field("address", "198.51.100.23")
        .send();

    assert_eq!(alert(0).unwrap().message, "first");
    assert_eq!(alert(0).unwrap().event, None);
    let second = alert(1).unwrap();
    assert_eq!((second.severity(), &*second.message), (Severity::High, "second"));
    let fields = [("address", "198.51.100.23"), ("attempts", "4")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(second.metadata.into_iter().collect::<BTreeMap<_, _>>(), fields.into());
    assert_eq!(second.event.unwrap().case(), "UserLogin");
    assert!(alert(2).is_none());
    assert_eq!(host.alerts().len(), 2);
}

#[test]
fn secrets_and_configuration_are_what_the_host_lends() {
    let _host = Host::new().secret("token", "s3cret").secret("key", [0xff]).config("limit", "3");
    assert_eq!(event_sdk::secret("token").unwrap().as_deref(), Some("s3cret"));
    assert_eq!(event_sdk::secret("other").unwrap(), None);
    assert_eq!(event_sdk::secret("key").unwrap_err().to_string(), "the secret key is not UTF-8");
    assert_eq!(event_sdk::config("limit").as_deref(), Some("3"));
    assert_eq!(event_sdk::config("other"), None);
}

#[test]
fn the_clock_stands_still_until_it_is_moved() {
    let host = Host::new();
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    assert_eq!(now(), start);
    host.advance(Duration::from_millis(1500));
    assert_eq!(now(), start + Duration::from_millis(1500));
}

#[test]
fn log_records_are_kept_in_order() {
    let host = Host::new();
    log::info!("one {}", 1);
    log::warn!("two");
    let expected = [(log::Level::Info, "one 1".to_owned()), (log::Level::Warn, "two".to_owned())];
    assert_eq!(host.logs(), expected);
    Host::new();
    assert!(host.logs().is_empty(), "a new host has seen nothing");
}

#[test]
fn a_handler_may_fail_with_any_error_that_can_be_shown() {
    let failing = |_: &mut Event<'_>| Err::<Outcome, _>("not today");
    assert_eq!(run(failing, &login("ann")).unwrap_err().to_string(), "not today");

    let parsing = |_: &mut Event<'_>| -> event_sdk::Result<Outcome> {
        "many".parse::<u32>().map_err(|error| Error::from(error).context("reading the limit"))?;
        Ok(Outcome::Keep)
    };
    let error = run(parsing, &login("ann")).unwrap_err();
    assert_eq!(error.to_string(), "reading the limit: invalid digit found in string");
}

#[test]
fn a_batch_is_answered_event_by_event() {
    Host::new();
    let handle = |event: &mut Event<'_>| -> event_sdk::Result<Outcome> {
        let login = event.get::<UserLogin>()?.ok_or("no login").map_err(Error::new)?;
        match &*login.user.clone().unwrap_or_default().user {
            "skip" => Ok(Outcome::Skip),
            "fail" => Err(Error::new("failed")),
            _ => Ok(Outcome::Keep),
        }
    };
    let results = run_batch(handle, &["ann", "skip", "fail", "bob"].map(login)).unwrap();

    let users = results.into_iter().map(|result| {
        let event = result.map_err(|error| error.to_string())?;
        let login = event.map(|event| event.get::<UserLogin>().unwrap().unwrap().clone());
        Ok(login.map(|login| login.user.unwrap().user))
    });
    let expected =
        [Ok(Some("ann".into())), Ok(None), Err("failed".to_owned()), Ok(Some("bob".into()))];
    assert_eq!(users.collect::<Vec<Result<Option<String>, String>>>(), expected);
}
