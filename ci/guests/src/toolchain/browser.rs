//! A browser without a window, for the test of the admin page.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::find_or_get;
use super::program::{answer, apt_install, versions};

const MISSING: &str = "there is no Chromium; install it from your system's packages (chromium)";
/// As Debian, Ubuntu and others, and Google call it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A Chromium, or what is made of it. A missing one is an error unless this `may_install` it.
pub fn find(may_install: bool) -> Result<PathBuf> {
    let debian = || apt_install(&["chromium"]);
    let ways: &[&dyn Fn() -> Result<()>] = if may_install { &[&debian] } else { &[] };
    find_or_get(MISSING, present, ways)
}

fn present() -> Option<PathBuf> {
    let all = NAMES.iter().flat_map(|name| versions(name));
    all.into_iter().find(|it| answer(Command::new(it).arg("--version")).is_some())
}
