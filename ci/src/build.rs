//! `cargo xtask build`

use anyhow::{Context, Result};

use crate::{cargo, step};

/// Builds what `default-members` of the workspace names: the host, all plugins, all patches.
pub(crate) fn run() -> Result<()> {
    step("building the host, the plugins and the patches (release)");
    let artefacts = cargo::build(cargo::cargo().args(["build", "--release"]))?;
    let root = cargo::root().canonicalize().context("cannot find the workspace")?;
    for artefact in artefacts.iter().filter(|built| built.manifest.starts_with(&root)) {
        let bytes = artefact
            .file
            .metadata()
            .with_context(|| format!("cannot look at {}", artefact.file.display()))?
            .len();
        println!("{:>9}  {}", size(bytes), artefact.file.display());
    }
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
