//! The compilers that WebAssembly plugins need, each as it is found on this machine or can be got.

pub mod browser;
mod c;
pub mod node;
mod program;
mod wasm;

use std::fmt::Write as _;

use anyhow::{Result, bail};

pub use c::Compiler;
pub(crate) use program::quietly;
pub use wasm::WasmToolchain;

use crate::step;

/// What is there, or else what the first of the `ways` to get it brings. An error says what is
/// `missing`, and why each way has failed.
fn find_or_get<T>(
    missing: &str,
    find: impl Fn() -> Option<T>,
    ways: &[&dyn Fn() -> Result<()>],
) -> Result<T> {
    let mut error = missing.to_owned();
    let mut ways = ways.iter();
    loop {
        if let Some(found) = find() {
            return Ok(found);
        }
        match ways.next().map(|get| get()) {
            None => bail!(error),
            Some(Ok(())) => {}
            Some(Err(reason)) => {
                let reason = format!("{reason:#}");
                let short: Vec<_> = reason.lines().take(2).collect();
                step(&short.join(" "));
                let _ = write!(error, "\n{reason}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::find_or_get;
    use anyhow::bail;
    use std::cell::Cell;

    #[test]
    fn nothing_is_fetched_that_is_there() {
        let found = find_or_get("no tool", || Some(1), &[&|| panic!("this is not needed")]);
        assert_eq!(found.unwrap(), 1);
    }

    #[test]
    fn the_next_way_is_tried_when_one_fails_or_brings_nothing() {
        let there = Cell::new(None);
        let fails = || bail!("no network");
        let brings_nothing = || Ok(());
        let brings_it = || {
            there.set(Some(2));
            Ok(())
        };
        let ways: &[&dyn Fn() -> _] = &[&fails, &brings_nothing, &brings_it];
        assert_eq!(find_or_get("no tool", || there.get(), ways).unwrap(), 2);
    }

    #[test]
    fn an_error_has_the_remedy_and_the_reasons() {
        let fails = || bail!("no network");
        let error = find_or_get("no tool; get one", || None::<u8>, &[&fails]).unwrap_err();
        assert_eq!(error.to_string(), "no tool; get one\nno network");
    }
}
