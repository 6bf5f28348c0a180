//! `cargo xtask fuzz`

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo, step};

/// Run the fuzz targets, each for the given time.
///
/// Needs a nightly toolchain and cargo-fuzz. What a target finds is kept under ci/fuzz/artifacts.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One target; without it all of them, one after the other
    target: Option<String>,
    /// Seconds for each target
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
}

/// Where the targets are.
const FOLDER: &str = "ci/fuzz";

pub(crate) fn run(options: &Options) -> Result<()> {
    if !cargo::works(&mut nightly(&["--version"])) {
        bail!(
            "fuzzing needs a nightly compiler; \
             install one: rustup toolchain install nightly --profile minimal"
        );
    }
    if !cargo::works(&mut nightly(&["fuzz", "--version"])) {
        bail!("cargo-fuzz is not installed; install it: cargo install --locked cargo-fuzz");
    }
    let targets = targets()?;
    let chosen: Vec<_> = match &options.target {
        None => targets.iter().collect(),
        Some(name) => targets.iter().filter(|target| *target == name).collect(),
    };
    if chosen.is_empty() {
        let name = options.target.as_deref().unwrap_or("any");
        bail!("there is no fuzz target {name}; there are: {}", targets.join(", "));
    }
    let limit = format!("-max_total_time={}", options.seconds);
    for target in chosen {
        step(&format!("fuzzing {target} for {} s", options.seconds));
        cargo::run(&mut fuzz(target, &limit)?)?;
    }
    Ok(())
}

/// The run of a target, with the dictionary and the first inputs that it may have.
fn fuzz(target: &str, limit: &str) -> Result<Command> {
    let corpus = format!("{FOLDER}/corpus/{target}");
    let seeds = format!("{FOLDER}/seeds/{target}");
    let dictionary = format!("{FOLDER}/{target}.dict");
    let exists = |path: &str| cargo::root().join(path).exists();
    // libFuzzer adds what it finds to the first folder.
    fs::create_dir_all(cargo::root().join(&corpus))
        .with_context(|| format!("cannot make the folder {corpus}"))?;
    let mut fuzz = nightly(&["fuzz", "run", "--fuzz-dir", FOLDER, target, &corpus]);
    if exists(&seeds) {
        fuzz.arg(seeds);
    }
    fuzz.args(["--", limit]);
    if exists(&dictionary) {
        fuzz.arg(format!("-dict={dictionary}"));
    }
    Ok(fuzz)
}

fn targets() -> Result<Vec<String>> {
    let output = nightly(&["fuzz", "list", "--fuzz-dir", FOLDER])
        .output()
        .context("cannot start cargo fuzz")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("cargo fuzz finds no targets: {}", said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn nightly(arguments: &[&str]) -> Command {
    let mut command = cargo::cargo_of(Some("nightly"), &cargo::root());
    command.args(arguments);
    command
}
