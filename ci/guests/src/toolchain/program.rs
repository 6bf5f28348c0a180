//! Programs: which ones there are, and Debian's packages with more of them.

use std::cmp::Reverse;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::step;

/// The first line that a command prints, if it can be started and succeeds.
pub(super) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Runs a command that prints only if it fails.
pub(crate) fn quietly(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("`{shown}` failed:\n{}", String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let words: Vec<_> = [command.get_program()].into_iter().chain(command.get_args()).collect();
    words.join(" ".as_ref()).to_string_lossy().into_owned()
}

/// The program `name` on the search path and those with a version after it, as in `clang-14`: the
/// plain one first, then the newest.
pub(super) fn versions(name: &str) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<(u32, PathBuf)> = env::split_paths(&path)
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|files| files.filter_map(Result::ok))
        .filter_map(|file| Some((version(file.file_name().to_str()?, name)?, file.path())))
        .collect();
    // Stable: of two with one name the one that the shell would take stays first.
    found.sort_by_key(|(version, _)| Reverse(*version));
    found.into_iter().map(|(_, path)| path).collect()
}

/// 14 for `name-14`, a version above all for `name` itself, none for anything else.
fn version(file: &str, name: &str) -> Option<u32> {
    match file.strip_prefix(name)? {
        "" => Some(u32::MAX),
        rest => rest.strip_prefix('-')?.parse().ok(),
    }
}

/// Installs packages of Debian, if this is one and we are root or may be without a password.
///
/// Removes nothing: a machine that has another Rust from Debian keeps it, and this is an error.
pub(super) fn apt_install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !Path::new("/etc/debian_version").exists() {
        bail!("this is no Debian, whose packages `{list}` would do");
    }
    let root = as_root()?;
    step(&format!("installing packages of Debian: {list}"));
    let apt = |arguments: &[&str]| {
        let words =
            [root, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
        quietly(Command::new(words[0]).args(&words[1..]))
    };
    apt(&["update"])?;
    apt(&[&["install", "--yes", "--no-remove", "--no-install-recommends"], packages].concat())
}

/// Installs a package of PyPI, with what it needs, in a folder of its own.
pub(super) fn pip_install(folder: &Path, package: &str, size: &str) -> Result<()> {
    step(&format!("installing {package} from PyPI ({size}) in {}", folder.display()));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    // Over what an installation that was broken off has left.
    quietly(pip.args(["--upgrade", "--target"]).arg(folder).arg(package))
}

/// What a command of root's has to begin with.
fn as_root() -> Result<&'static [&'static str]> {
    if answer(Command::new("id").arg("-u")).as_deref() == Some("0") {
        return Ok(&[]);
    }
    if answer(Command::new("sudo").args(["-n", "true"])).is_none() {
        bail!("Debian's packages need root, and sudo asks for a password or is not there");
    }
    Ok(&["sudo", "-n"])
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_program_is_known_with_and_without_a_version() {
        assert_eq!(version("clang", "clang"), Some(u32::MAX));
        assert_eq!(version("clang-14", "clang"), Some(14));
        for other in ["clang++", "clang++-14", "clang-format", "clang-format-14", "gcc"] {
            assert_eq!(version(other, "clang"), None, "{other}");
        }
    }
}
