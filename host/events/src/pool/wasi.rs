//! What WASI would let a guest do beyond its call.

use extism::{Error, Function, UserData, ValType};

/// In place of those that wasi-common has.
///
/// `poll_oneoff` sleeps on the host's thread, where no timeout ends it. `proc_exit(0)` would pass for
/// a call that has succeeded, and the instance would be used again from the middle of it.
pub(super) fn functions() -> [Function; 2] {
    let refused = |name: &'static str, arguments: usize, results: usize, why: &'static str| {
        let integers = |count| std::iter::repeat_n(ValType::I32, count);
        let body = move |_: &mut _, _: &[_], _: &mut [_], _| Err(Error::msg(why));
        Function::new(name, integers(arguments), integers(results), UserData::new(()), body)
            .with_namespace("wasi_snapshot_preview1")
    };
    [
        refused("poll_oneoff", 4, 1, "it wanted to sleep, which a plugin cannot"),
        refused("proc_exit", 1, 0, "it ended itself in the middle of a call"),
    ]
}
