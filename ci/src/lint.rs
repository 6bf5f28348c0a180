//! `cargo xtask lint`

use anyhow::Result;

use crate::{cargo, step};

/// The workspace and those that it excludes.
const WORKSPACES: [&str; 6] = [
    "Cargo.toml",
    "fixtures/plugins/Cargo.toml",
    "fixtures/guests/rust/Cargo.toml",
    EXAMPLES,
    STARTERS,
    "ci/fuzz/Cargo.toml",
];
/// What authors of event plugins start from.
const EXAMPLES: &str = "plugins/event/rust/Cargo.toml";
/// What authors of native plugins start from.
const STARTERS: &str = "plugins/starters/Cargo.toml";

pub(crate) fn run() -> Result<()> {
    step("formatting: cargo fmt --check");
    for manifest in WORKSPACES {
        cargo::run(cargo::cargo().args(["fmt", "--all", "--check", "--manifest-path", manifest]))?;
    }

    step("lints: cargo clippy");
    cargo::run(
        cargo::cargo()
            // What is behind a feature for benchmarks is compiled nowhere else.
            .args(["clippy", "--workspace", "--all-targets", "--features", "host-proxy/bench"])
            .args(["--", "-D", "warnings"]),
    )?;
    for (manifest, target) in [(EXAMPLES, "guests/cargo"), (STARTERS, "starters")] {
        cargo::run(
            cargo::cargo()
                .args(["clippy", "--all-targets", "--manifest-path", manifest, "--target-dir"])
                .arg(cargo::target_directory()?.join(target))
                .args(["--", "-D", "warnings"]),
        )?;
    }

    step("documentation: cargo doc");
    cargo::run(
        cargo::cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings"),
    )?;

    deny()
}

/// The advisories are checked only where their database can be fetched; the rest needs no network.
fn deny() -> Result<()> {
    let deny = |arguments: &[&str]| {
        let mut command = cargo::cargo();
        command.args(["deny", "--config", "ci/deny.toml"]).args(arguments);
        command
    };
    if !cargo::works(&mut deny(&["--version"])) {
        step(
            "SKIPPED: licences, bans, sources and advisories; \
             to check them: cargo install --locked cargo-deny",
        );
        return Ok(());
    }
    step("licences, bans and sources: cargo deny");
    let check = ["check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    cargo::run(&mut deny(&check))?;

    if !cargo::works(&mut deny(&["fetch", "db"])) {
        step("SKIPPED: advisories; their database cannot be fetched from github.com");
        return Ok(());
    }
    step("advisories: cargo deny");
    cargo::run(&mut deny(&["check", "advisories"]))
}
