//! The lock of those who fail to log in again and again.
//!
//! Attempts are counted for each user and login, by the time at which they happened: a backfill counts
//! as the days themselves did, however fast it is. A window begins with the first attempt that is in no
//! window yet; the attempt after so many forgiven ones in a window locks, and the rest of the window
//! does not lock again. Chunks of a day come in any order, so that a few windows are kept of each.

use bytes::Bytes;
use host_proxy::native::sha256;
use proto::prost_types::Timestamp;
use proto::types::{LockSpecV2, LockTarget, LockV2, Metadata};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

const LOGIN: &str = "user.login";
/// What the locked user is told: the original's words.
const MESSAGE: &str = "User is locked due to too many failed login attempts";

/// Users of whom attempts are remembered; whoever was seen longest ago is forgotten.
const USERS: usize = 100_000;
/// Windows of each that are.
const WINDOWS: usize = 8;

/// Counts failed logins.
#[derive(Debug)]
pub(crate) struct FailedLogins {
    forgiven: u32,
    period: Duration,
    lock_for: Option<Duration>,
    /// By a hash of user and login, which somebody else chooses, and may choose long.
    users: HashMap<String, Vec<Window>>,
}

#[derive(Debug)]
struct Window {
    start: SystemTime,
    attempts: u32,
}

/// What counts of an event.
#[derive(Deserialize)]
struct Login<'a> {
    #[serde(default, borrow)]
    user: Cow<'a, str>,
    #[serde(default, borrow)]
    login: Cow<'a, str>,
    #[serde(default)]
    success: bool,
}

impl FailedLogins {
    /// `forgiven` attempts within `period` do not lock.
    pub(crate) fn new(forgiven: u32, period: Duration, lock_for: Option<Duration>) -> Self {
        Self { forgiven, period, lock_for, users: HashMap::new() }
    }

    /// Looks at an event; at the attempt too many there is a lock to be made.
    pub(crate) fn look(
        &mut self,
        kind: &str,
        json: &Bytes,
        time: Option<SystemTime>,
    ) -> Option<LockV2> {
        if kind != LOGIN {
            return None;
        }
        let Ok(Login { user, login, success }) = serde_json::from_slice(json) else { return None };
        if success || (user.is_empty() && login.is_empty()) {
            return None;
        }
        let time = time.unwrap_or_else(SystemTime::now);
        let key = sha256(format!("{}:{user}{login}", user.len()).as_bytes());
        let count = self.count(key, time);
        let lock = || self.lock((user.into_owned(), login.into_owned()));
        (count == self.forgiven + 1).then(lock)
    }

    /// Says the how manieth attempt of its window it is.
    fn count(&mut self, key: String, time: SystemTime) -> u32 {
        if self.users.len() >= USERS && !self.users.contains_key(&key) {
            self.forget();
        }
        let windows = self.users.entry(key).or_default();
        let is_in = |window: &&mut Window| {
            time.duration_since(window.start).is_ok_and(|since| since < self.period)
        };
        if let Some(window) = windows.iter_mut().find(is_in) {
            window.attempts = window.attempts.saturating_add(1);
            return window.attempts;
        }
        windows.push(Window { start: time, attempts: 1 });
        windows.sort_by_key(|window| window.start);
        if windows.len() > WINDOWS {
            windows.remove(0);
        }
        1
    }

    /// The half that was seen longest ago.
    fn forget(&mut self) {
        let last = |windows: &[Window]| windows.last().map(|window| window.start);
        let mut times: Vec<_> = self.users.values().map(|windows| last(windows)).collect();
        let (_, middle, _) = times.select_nth_unstable(USERS / 2);
        let middle = *middle;
        self.users.retain(|_, windows| last(windows) > middle);
    }

    fn lock(&self, (user, login): (String, String)) -> LockV2 {
        let expires = self.lock_for.and_then(|time| SystemTime::now().checked_add(time));
        let spec = LockSpecV2 {
            target: Some(LockTarget {
                user: user.clone(),
                login: login.clone(),
                ..LockTarget::default()
            }),
            message: MESSAGE.to_owned(),
            expires: expires.map(Timestamp::from),
            created_by: "host event-handler".to_owned(),
            ..LockSpecV2::default()
        };
        let metadata = Metadata {
            name: format!("event-handler-auto-lock-{user}-{login}"),
            ..Metadata::default()
        };
        LockV2 { metadata: Some(metadata), spec: Some(spec), ..LockV2::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps)] // as it is passed on
    fn at(seconds: u64) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds))
    }

    fn fails(user: &str, login: &str) -> Bytes {
        format!(r#"{{"event":"user.login","login":"{login}","success":false,"user":"{user}"}}"#)
            .into()
    }

    fn counter() -> FailedLogins {
        FailedLogins::new(3, Duration::from_secs(60), Some(Duration::from_secs(600)))
    }

    #[test]
    fn the_attempt_after_the_forgiven_ones_locks_once() {
        let mut counter = counter();
        let locks = (0..8).filter_map(|n| counter.look(LOGIN, &fails("bob", ""), at(n)));
        let locks: Vec<_> = locks.collect();
        assert_eq!(locks.len(), 1);
        let (spec, metadata) = (locks[0].spec.clone().unwrap(), locks[0].metadata.clone().unwrap());
        assert_eq!(metadata.name, "event-handler-auto-lock-bob-");
        assert_eq!(spec.message, "User is locked due to too many failed login attempts");
        assert_eq!(spec.target.unwrap().user, "bob");
        let left = SystemTime::try_from(spec.expires.unwrap()).unwrap();
        let left = left.duration_since(SystemTime::now()).unwrap().as_secs();
        assert!((590..=600).contains(&left), "{left}");
    }

    #[test]
    fn users_whose_login_is_empty_do_not_share_a_count() {
        let mut counter = counter();
        for user in ["a", "b", "c", "d", "e"] {
            assert_eq!(counter.look(LOGIN, &fails(user, ""), at(0)), None);
        }
        for _ in 0..2 {
            assert_eq!(counter.look(LOGIN, &fails("a", "root"), at(0)), None);
            assert_eq!(counter.look(LOGIN, &fails("a", ""), at(0)), None);
        }
        let lock = counter.look(LOGIN, &fails("a", ""), at(0)).unwrap();
        assert_eq!(lock.spec.unwrap().target.unwrap().login, "");
    }

    #[test]
    fn it_is_the_time_of_the_event_that_counts_in_any_order() {
        let mut counter = counter();
        let mut look = |seconds| counter.look(LOGIN, &fails("bob", ""), at(seconds)).is_some();
        // Three in each of two windows, as two chunks would bring them.
        for seconds in [1000, 0, 1001, 1, 1002, 2] {
            assert!(!look(seconds));
        }
        assert!(look(59));
        assert!(!look(1060), "another window begins after a period");
        assert!(look(1059));
    }

    #[test]
    fn what_is_no_failed_login_counts_for_nothing() {
        let mut counter = counter();
        let success = Bytes::from_static(br#"{"user":"bob","success":true}"#);
        for _ in 0..9 {
            assert_eq!(counter.look(LOGIN, &success, at(0)), None);
            assert_eq!(counter.look("auth", &fails("bob", ""), at(0)), None);
            assert_eq!(counter.look(LOGIN, &Bytes::from_static(b"{}"), at(0)), None);
            assert_eq!(counter.look(LOGIN, &Bytes::from_static(b"[1"), at(0)), None);
        }
        assert!(counter.users.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut counter = counter();
        for number in 0..USERS as u64 + 10 {
            counter.look(LOGIN, &fails(&number.to_string(), ""), at(number));
        }
        assert!(counter.users.len() <= USERS, "{}", counter.users.len());
        let newest = fails(&(USERS + 9).to_string(), "");
        let time = at(USERS as u64 + 9);
        let locks = (0..3).filter_map(|_| counter.look(LOGIN, &newest, time)).count();
        assert_eq!(locks, 1, "the newest is remembered");
    }
}
