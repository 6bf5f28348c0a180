//! `cargo xtask lint`

use anyhow::Result;

use crate::{cargo, step};

pub(crate) fn run() -> Result<()> {
    step("formatting: cargo fmt --check");
    cargo::run(cargo::cargo().args(["fmt", "--all", "--check"]))?;

    step("lints: cargo clippy");
    cargo::run(cargo::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;

    step("documentation: cargo doc");
    cargo::run(
        cargo::cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings"),
    )?;

    deny()
}

/// The advisories are checked only where their database can be fetched; the rest needs no network.
fn deny() -> Result<()> {
    if !cargo::works(cargo::cargo().args(["deny", "--version"])) {
        step(
            "SKIPPED: licences, bans and advisories; \
             to check them: cargo install --locked cargo-deny",
        );
        return Ok(());
    }
    step("licences, bans, sources: cargo deny");
    cargo::run(cargo::cargo().args(["deny", "check", "bans", "licenses", "sources"]))?;

    if !cargo::works(cargo::cargo().args(["deny", "fetch", "db"])) {
        step("SKIPPED: advisories; their database at github.com cannot be reached");
        return Ok(());
    }
    step("advisories: cargo deny");
    cargo::run(cargo::cargo().args(["deny", "check", "--disable-fetch", "advisories"]))
}
