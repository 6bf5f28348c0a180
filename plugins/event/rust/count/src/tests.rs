use crate::handle;
use event_sdk::Result;
use event_sdk::testing::{fixture, latest_api_request, run};

event_sdk::tests! {
    // Fixture 4: foo fails to log in.
    fn the_fourth_failure_locks_the_user() -> Result<()> {
        for _ in 0..3 {
            run(handle, &fixture(4))?;
        }
        assert!(latest_api_request().is_none(), "locked after three");
        run(handle, &fixture(4))?;

        let lock = latest_api_request().expect("no lock was asked for");
        let spec = lock.spec.expect("the lock has no spec");
        assert_eq!(spec.target.expect("the lock has no target").login, "foo");
        assert_eq!(spec.message, "Suspicious login activity");
        Ok(())
    }
}

/// What needs a clock that can be moved, which the fake host has.
#[cfg(test)]
mod native {
    use crate::{FAILED_ATTEMPTS_TIMEOUT, LOCK_DURATION, handle};
    use event_sdk::events::{UserLogin, UserMetadata};
    use event_sdk::testing::{Host, fixture, run};
    use event_sdk::{Event, now};
    use std::time::Duration;

    #[test]
    fn failures_are_forgotten_one_by_one() {
        let host = Host::new();
        for _ in 0..10 {
            run(handle, &fixture(4)).unwrap();
            host.advance(FAILED_ATTEMPTS_TIMEOUT / 3 + Duration::from_secs(1));
        }
        assert!(host.locks().is_empty());
    }

    #[test]
    fn the_lock_ends_after_an_hour() {
        let host = Host::new();
        for _ in 0..4 {
            run(handle, &fixture(4)).unwrap();
        }
        let expires = host.locks()[0].spec.as_ref().unwrap().expires;
        assert_eq!(expires, Some((now() + LOCK_DURATION).into()));
    }

    #[test]
    fn users_without_a_login_are_told_apart() {
        let host = Host::new();
        for user in ["ann", "bob", "cid", "dan", ""] {
            let user = UserMetadata { user: user.into(), ..UserMetadata::default() };
            let login = Event::from(UserLogin { user: Some(user), ..UserLogin::default() });
            run(handle, &login).unwrap();
        }
        assert!(host.locks().is_empty());
    }
}
