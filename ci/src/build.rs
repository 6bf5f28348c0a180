//! `cargo xtask build`

use std::path::Path;

use anyhow::{Context, Result};
use guests::Language;

use crate::{build_guests, cargo, step};

/// Builds what `default-members` of the workspace names, which is the host, all native plugins and
/// all patches, and then the event plugins in every language.
pub(crate) fn run() -> Result<()> {
    step("building the host, the plugins and the patches (release)");
    let artefacts = cargo::build(cargo::cargo().args(["build", "--release"]))?;
    let root = cargo::root().canonicalize().context("cannot find the workspace")?;
    for artefact in artefacts.iter().filter(|built| built.manifest.starts_with(&root)) {
        list(&artefact.file)?;
    }
    for guest in build_guests::build(&Language::ALL, || cargo::find(&artefacts, "host"))? {
        list(&guest.file)?;
    }
    Ok(())
}

/// Says what has been built.
pub(crate) fn list(file: &Path) -> Result<()> {
    let metadata = file.metadata();
    let bytes = metadata.with_context(|| format!("cannot look at {}", file.display()))?.len();
    println!("{:>9}  {}", size(bytes), file.display());
    Ok(())
}

/// A size for people: `912.4 kB`, `3.1 MB`.
#[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 1_000_000 {
        format!("{:.1} kB", bytes as f64 / 1e3)
    } else {
        format!("{:.1} MB", bytes as f64 / 1e6)
    }
}
