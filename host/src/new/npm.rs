//! The npm packages of a new plugin: AssemblyScript's compiler.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The oldest major version of Node.js that the compiler runs on.
const OLDEST: u32 = 18;

/// Installs exactly what the lock file says; npm itself shows how far it is.
pub(super) fn install(folder: &Path) -> Result<()> {
    let remedy = "install it from your system's packages (nodejs, npm) or nodejs.org";
    let Some(node) = version("node") else { bail!("Node.js is not there: {remedy}") };
    ensure!(
        major(&node).is_none_or(|major| major >= OLDEST),
        "Node.js is {node}, and {OLDEST} or newer is needed: {remedy}"
    );
    ensure!(version("npm").is_some(), "npm is not there: {remedy}");

    eprintln!("installing AssemblyScript from npm");
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args(["ci", "--no-audit", "--no-fund"]).stdin(Stdio::null());
    let status = npm.status().context("cannot start npm")?;
    ensure!(status.success(), "`npm ci` failed ({status}); its messages are above");
    Ok(())
}

/// The first line of what a program says of its version; none if it does not start.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

fn major(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn versions_are_read_as_node_writes_them() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("v9.11.2"), Some(9));
        assert_eq!(major("nightly"), None);
    }
}
