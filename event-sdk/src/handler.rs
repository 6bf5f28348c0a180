//! The author's function, and the macro that exports it.

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on, with what the handler has changed.
    Keep,
    /// It goes no further.
    Skip,
}

/// Exports a function as the plugin's handler: `event_sdk::handler!(handle);`
///
/// Its argument is the path of a `fn(&mut Event<'_>) -> Result<Outcome, E>`, where `E` is
/// [`Error`](crate::Error) or anything else that can be displayed. An error is the failure of that
/// event alone: the host logs it, and does with the event what its configuration says. The host
/// calls with one event or, under load, with as many as have queued up; the handler sees them one
/// by one.
#[macro_export]
macro_rules! handler {
    ($handle:path) => {
        // Where only tests call it, it is no dead code either.
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            let _ = $handle;
        };
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[unsafe(no_mangle)]
            extern "C" fn handle_event() -> i32 {
                $crate::__private::handle_event($handle)
            }

            #[unsafe(no_mangle)]
            extern "C" fn handle_events() -> i32 {
                $crate::__private::handle_events($handle)
            }
        };
    };
}
