//! `cargo xtask test`

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use guests::Language;
use guests::toolchain::browser;

use crate::{build_guests, cargo, step};

/// Run every test, documentation tests included, and sum up.
///
/// Builds the plugins for WebAssembly first, and gets the compilers that are missing: see
/// `cargo xtask build-guests --help`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only tests whose name contains this
    filter: Option<String>,
}

/// What the `test result:` lines of all test programs add up to.
#[derive(Default)]
struct Summary {
    programs: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let started = Instant::now();
    say_what_is_missing();

    // Tests build what they start and load, but what cargo prints then is not seen: the long
    // builds come first, in the open. They install what is missing, which no test does.
    step("building the host that the tests start");
    let built = cargo::build(cargo::cargo().args(["build", "--package", "host"]))?;
    let host = cargo::find(&built, "host")?;
    build_guests::build(&Language::ALL, || Ok(host.clone()))?;
    if let Err(error) = browser::find(true) {
        step(&format!("SKIPPED: the admin page in a browser: {error:#}"));
    }

    let mut summary = Summary::default();
    let mut passed = true;
    for (what, command) in [("the tests", workspace()), ("the examples' own tests", examples()?)] {
        step(&format!("running {what}"));
        passed &= summary.run(command, options.filter.as_deref())?;
    }
    let Summary { programs, passed: ok, failed, ignored } = summary;
    println!(
        "\n{ok} passed, {failed} failed, {ignored} ignored in {programs} test programs, {} s",
        started.elapsed().as_secs()
    );
    if !passed {
        bail!("tests failed or did not build; the messages are above");
    }
    Ok(())
}

/// With a nightly, the tests of the compatibility promise cover a pair of compilers as well.
fn say_what_is_missing() {
    if !cargo::works(cargo::cargo_of(Some("nightly"), &cargo::root()).arg("--version")) {
        step(
            "SKIPPED: plugins built by another compiler than the host's; \
             to test them: rustup toolchain install nightly --profile minimal",
        );
    }
}

fn workspace() -> Command {
    let mut command = cargo::cargo();
    command.args(["test", "--workspace"]);
    command
}

/// The event plugins in Rust, compiled for this machine: what their authors run.
fn examples() -> Result<Command> {
    let mut command = cargo::cargo();
    command.args(["test", "--manifest-path", "plugins/event/rust/Cargo.toml", "--target-dir"]);
    command.arg(cargo::target_directory()?.join("guests/cargo"));
    Ok(command)
}

impl Summary {
    /// Passes on what `cargo test` prints while it counts. Returns whether all went well.
    fn run(&mut self, mut command: Command, filter: Option<&str>) -> Result<bool> {
        command.arg("--no-fail-fast").args(filter).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start cargo test")?;
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).lines() {
                let line = line.context("cannot read what cargo test prints")?;
                println!("{line}");
                self.count(&line);
            }
        }
        Ok(child.wait().context("cannot wait for cargo test")?.success())
    }

    /// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
    fn count(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        self.programs += 1;
        for (number, kind) in result.split(['.', ';']).filter_map(|it| it.trim().split_once(' ')) {
            let number = number.parse().unwrap_or(0);
            match kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;

    #[test]
    fn a_failed_program_is_counted_with_the_others() {
        let mut summary = Summary::default();
        summary.count("running 3 tests");
        summary.count("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        summary.count("test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured");
        let Summary { programs, passed, failed, ignored } = summary;
        assert_eq!((programs, passed, failed, ignored), (2, 5, 4, 1));
    }
}
