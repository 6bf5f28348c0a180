//! What the macros expand to calls of. The `i32` is the exit code of an export: 0 is success.

#[cfg(target_arch = "wasm32")]
pub use exports::{handle_event, handle_events, run_test};

/// Begins a test: a new fake host, where there is no real one.
pub fn start_test() {
    #[cfg(not(target_arch = "wasm32"))]
    let _ = crate::testing::Host::new();
}

#[cfg(target_arch = "wasm32")]
mod exports {
    use crate::{Event, Outcome, exchange, host};
    use std::fmt::{Debug, Display};

    pub fn handle_event<E: Display>(handler: impl Fn(&mut Event<'_>) -> Result<Outcome, E>) -> i32 {
        host::start();
        host::output(&exchange::handle_event(&host::input(), handler));
        0
    }

    pub fn handle_events<E: Display>(
        handler: impl Fn(&mut Event<'_>) -> Result<Outcome, E>,
    ) -> i32 {
        host::start();
        match exchange::handle_events(&host::input(), handler) {
            Ok(responses) => host::output(&responses),
            Err(error) => return failed(&error.to_string()),
        }
        0
    }

    pub fn run_test<T: TestResult>(test: fn() -> T) -> i32 {
        host::start();
        match test().into_result() {
            Ok(()) => 0,
            Err(error) => failed(&error),
        }
    }

    fn failed(error: &str) -> i32 {
        host::fail(error);
        1
    }

    /// What a test may return, as with `#[test]`.
    pub trait TestResult {
        fn into_result(self) -> Result<(), String>;
    }

    impl TestResult for () {
        fn into_result(self) -> Result<(), String> {
            Ok(())
        }
    }

    impl<E: Debug> TestResult for Result<(), E> {
        fn into_result(self) -> Result<(), String> {
            self.map_err(|error| format!("{error:?}"))
        }
    }
}
