//! Node.js, for AssemblyScript's compiler.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::find_or_get;
use super::program::{answer, apt_install, quietly};
use crate::{files, step};

/// The oldest major version that AssemblyScript runs on.
const OLDEST: u32 = 18;
const MISSING: &str = "Node.js 18 or newer with npm is needed; install it from your system's \
                       packages (nodejs, npm) or nodejs.org";

/// Makes sure that there is a Node.js with npm. A missing one is an error unless this
/// `may_install` it.
pub fn provide(may_install: bool) -> Result<()> {
    let debian = || apt_install(&["nodejs", "npm"]);
    let ways: &[&dyn Fn() -> Result<()>] = if may_install { &[&debian] } else { &[] };
    find_or_get(MISSING, || is_complete().then_some(()), ways)
}

/// npm, in a folder.
pub fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder);
    command
}

/// The `node_modules` for the package in `folder`, with exactly what its lock file says.
///
/// Kept in `cache` under the hash of the lock file: it is fetched once, and never into the
/// package's own folder.
pub fn modules(folder: &Path, cache: &Path) -> Result<PathBuf> {
    const FILES: [&str; 2] = ["package.json", "package-lock.json"];
    let whole = cache.join(files::hash(&FILES.map(|file| folder.join(file)))?);
    let modules = whole.join("node_modules");
    if modules.is_dir() {
        return Ok(modules);
    }
    step("installing npm packages");
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let fresh = tempfile::tempdir_in(cache).context("cannot make a folder for npm packages")?;
    for file in FILES {
        files::install(&folder.join(file), &fresh.path().join(file))?;
    }
    let quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    quietly(npm(fresh.path()).arg("ci").args(quiet))?;
    // At once: a folder under its own name is complete.
    fs::rename(fresh.keep(), &whole).with_context(|| format!("cannot make {}", whole.display()))?;
    Ok(modules)
}

fn is_complete() -> bool {
    let major = |version: String| version.strip_prefix('v')?.split('.').next()?.parse::<u32>().ok();
    let node = answer(Command::new("node").arg("--version")).and_then(major);
    node.is_some_and(|major| major >= OLDEST) && answer(Command::new("npm").arg("-v")).is_some()
}
