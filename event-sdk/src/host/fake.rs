//! A host of its own for every thread, so that tests in parallel do not meet.

use crate::testing::native;
use log::Level;
use prost::Message;
use proto::plugin::Alert;
use proto::types::LockV2;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::new());
}

/// The fake host of the thread that a native test runs on: what it lends to the handler is set
/// here, and what the handler did is seen here.
///
/// Everything that a handler asks for succeeds, as it does under `host test`. The clock stands still
/// at 2026-01-01T00:00:00Z until [`advance`](Host::advance) is called. Each
/// test of [`tests!`](crate::tests) starts with a new one; another test calls [`Host::new`] first.
/// Not in a plugin: `host test` runs those tests against a real host.
#[derive(Debug)]
pub struct Host(());

impl Host {
    /// Forgets what this thread's host has seen so far.
    #[allow(clippy::new_without_default)] // it has an effect
    pub fn new() -> Self {
        start();
        STATE.with_borrow_mut(|state| *state = State::new());
        Self(())
    }

    /// Lends the handler a secret.
    #[must_use]
    pub fn secret(self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        STATE.with_borrow_mut(|state| state.secrets.insert(name.to_owned(), value.into()));
        self
    }

    /// Sets a configuration value.
    #[must_use]
    pub fn config(self, name: &str, value: &str) -> Self {
        STATE.with_borrow_mut(|state| state.config.insert(name.to_owned(), value.to_owned()));
        self
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        STATE.with_borrow_mut(|state| state.now += by);
    }

    /// The locks that the handler has asked for, oldest first.
    pub fn locks(&self) -> Vec<LockV2> {
        STATE.with_borrow(|state| state.locks.clone())
    }

    /// The alerts that the handler has sent, oldest first.
    pub fn alerts(&self) -> Vec<Alert> {
        STATE.with_borrow(|state| state.alerts.clone())
    }

    /// What the handler has logged, oldest first.
    pub fn logs(&self) -> Vec<(Level, String)> {
        STATE.with_borrow(|state| state.logs.clone())
    }
}

struct State {
    now: SystemTime,
    tokens: HashMap<Vec<u8>, Vec<SystemTime>>,
    values: HashMap<Vec<u8>, (Vec<u8>, Option<SystemTime>)>,
    locks: Vec<LockV2>,
    alerts: Vec<Alert>,
    logs: Vec<(Level, String)>,
    secrets: HashMap<String, Vec<u8>>,
    config: HashMap<String, String>,
}

impl State {
    fn new() -> Self {
        Self {
            now: UNIX_EPOCH + Duration::from_secs(1_767_225_600), // 2026-01-01T00:00:00Z
            tokens: HashMap::new(),
            values: HashMap::new(),
            locks: Vec::new(),
            alerts: Vec::new(),
            logs: Vec::new(),
            secrets: HashMap::new(),
            config: HashMap::new(),
        }
    }

    fn alive(&mut self, scope: &[u8]) -> &mut Vec<SystemTime> {
        let tokens = self.tokens.entry(scope.to_owned()).or_default();
        tokens.retain(|expiry| *expiry > self.now);
        tokens
    }
}

/// Has the log records of a test end up in its host.
pub(crate) fn start() {
    struct Logger;

    impl log::Log for Logger {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            let text = record.args().to_string();
            println!("{} {text}", record.level()); // shown when the test fails
            STATE.with_borrow_mut(|state| state.logs.push((record.level(), text)));
        }

        fn flush(&self) {}
    }

    // Fails when there is one already: this one, or the author's.
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
}

/// What `imports` has for a plugin.
///
/// There, a host function that fails ends the call; here it panics, which ends the test.
#[allow(clippy::panic, clippy::expect_used)]
pub(crate) mod calls {
    use super::{Alert, Duration, LockV2, Message, STATE, SystemTime, UNIX_EPOCH, native};

    pub(crate) fn take_token(scope: &[u8], ttl_seconds: u64) -> u64 {
        STATE.with_borrow_mut(|state| {
            let expiry = after(state.now, ttl_seconds);
            let tokens = state.alive(scope);
            tokens.push(expiry);
            tokens.len() as u64
        })
    }

    pub(crate) fn release_tokens(scope: &[u8]) -> u64 {
        STATE.with_borrow_mut(|state| state.alive(scope).drain(..).count() as u64)
    }

    pub(crate) fn value(key: &[u8]) -> Option<Vec<u8>> {
        STATE.with_borrow(|state| {
            let (value, expiry) = state.values.get(key)?;
            let alive = expiry.is_none_or(|expiry| expiry > state.now);
            (alive && !value.is_empty()).then(|| value.clone())
        })
    }

    pub(crate) fn set_value(key: &[u8], value: &[u8], ttl_seconds: u64) {
        STATE.with_borrow_mut(|state| {
            let expiry = (ttl_seconds > 0).then(|| after(state.now, ttl_seconds));
            state.values.insert(key.to_owned(), (value.to_owned(), expiry));
        });
    }

    pub(crate) fn delete_value(key: &[u8]) {
        STATE.with_borrow_mut(|state| state.values.remove(key));
    }

    pub(crate) fn upsert_lock(lock: &[u8]) {
        let lock = LockV2::decode(lock).expect("lock_upsert: no types.LockV2");
        STATE.with_borrow_mut(|state| state.locks.push(lock));
    }

    pub(crate) fn alert(alert: &[u8]) {
        let alert = Alert::decode(alert).expect("alert: no plugin.Alert");
        STATE.with_borrow_mut(|state| state.alerts.push(alert));
    }

    pub(crate) fn secret(name: &str) -> Option<Vec<u8>> {
        STATE.with_borrow(|state| state.secrets.get(name).cloned())
    }

    pub(crate) fn config(name: &str) -> Option<Vec<u8>> {
        STATE.with_borrow(|state| state.config.get(name).map(|value| value.clone().into_bytes()))
    }

    #[allow(clippy::cast_possible_truncation)] // far in the future
    pub(crate) fn now() -> u64 {
        let now = STATE.with_borrow(|state| state.now);
        now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
    }

    pub(crate) fn fixture(number: u64) -> Vec<u8> {
        native::fixture(number).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn latest_api_request() -> Option<Vec<u8>> {
        STATE.with_borrow(|state| state.locks.last().map(LockV2::encode_to_vec))
    }

    pub(crate) fn alert_sent(index: u64) -> Option<Vec<u8>> {
        let index = usize::try_from(index).ok()?;
        STATE.with_borrow(|state| state.alerts.get(index).map(Alert::encode_to_vec))
    }

    fn after(now: SystemTime, seconds: u64) -> SystemTime {
        now.checked_add(Duration::from_secs(seconds)).expect("the time to live is too long")
    }
}
