//! Which plugin is meant, and how it is built if it is not there.

use crate::Usage;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Where builds leave plugins.
const OUTPUTS: [&str; 3] = ["build", "target/wasm32-unknown-unknown/release", RUST_TESTS];
/// What the kits for AssemblyScript and C build: the plugin with its tests.
const WITH_TESTS: &str = "build/test.wasm";
/// Where the profile `tests` of a plugin in Rust leaves the same.
const RUST_TESTS: &str = "target/wasm32-unknown-unknown/tests";

/// The plugin that was asked for, or the one that the folder has.
pub(super) fn plugin(asked: Option<&Path>, folder: &Path) -> Result<PathBuf> {
    if let Some(file) = asked {
        if file.is_file() {
            return Ok(file.to_owned());
        }
        bail!("there is no {}; {}", file.display(), how_to_build(project_of(file)));
    }
    let built = built(folder);
    match built.as_slice() {
        [] => bail!(
            "there is no plugin in {}; {}, or name the file: host test FILE.wasm",
            OUTPUTS.join(" or "),
            how_to_build(folder)
        ),
        [file] => Ok(file.clone()),
        several => {
            if let Some(file) = several.iter().find(|file| has_tests(file)) {
                return Ok(file.clone());
            }
            let names: Vec<_> = several.iter().map(|file| file.display().to_string()).collect();
            Err(Usage(format!("several plugins are built; name one: {}", names.join(", "))).into())
        }
    }
}

fn has_tests(file: &Path) -> bool {
    file.ends_with(WITH_TESTS) || file.parent().is_some_and(|folder| folder.ends_with(RUST_TESTS))
}

/// What to do about a plugin without tests.
pub(super) fn how_to_test(file: &Path) -> String {
    match command(project_of(file)) {
        Some(command) if command.contains("--features tests") || command == "npm test" => {
            format!("build it with its tests ({command}), or add an `expect` to a fixture")
        }
        _ => "write one, or add an `expect` to a fixture: {\"skipped\": true}".to_owned(),
    }
}

fn how_to_build(project: &Path) -> String {
    let place = match project.as_os_str().is_empty() || project == Path::new(".") {
        true => String::new(),
        false => format!(" in {}", project.display()),
    };
    match command(project) {
        Some("npm test") => {
            format!("build it{place} first: npm run asbuild, or npm test to test it as well")
        }
        Some(command) => format!("build it{place} first: {command}"),
        None => "build it first".to_owned(),
    }
}

/// What builds the plugin of this folder with its tests.
fn command(project: &Path) -> Option<&'static str> {
    if project.join("package.json").is_file() {
        return Some("npm test");
    }
    if let Ok(manifest) = std::fs::read_to_string(project.join("Cargo.toml")) {
        let manifest: toml::Table = manifest.parse().unwrap_or_default();
        let tests = manifest.get("features").is_some_and(|it| it.get("tests").is_some());
        return Some(match tests {
            true => "cargo build --profile tests --features tests --target wasm32-unknown-unknown",
            false => "cargo build --release --target wasm32-unknown-unknown",
        });
    }
    project.join("Makefile").is_file().then_some("make")
}

/// The folder that a file is built in: the one around a build's output, or the file's own.
fn project_of(file: &Path) -> &Path {
    let folder = file.parent().unwrap_or(file);
    let depth = |output: &&str| Path::new(output).components().count();
    let output = OUTPUTS.iter().find(|output| folder.ends_with(output));
    folder.ancestors().nth(output.map_or(0, depth)).unwrap_or(folder)
}

fn built(folder: &Path) -> Vec<PathBuf> {
    let files = OUTPUTS.iter().filter_map(|output| folder.join(output).read_dir().ok());
    let paths = files.flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let wasm = |path: &PathBuf| path.extension().is_some_and(|it| it == "wasm");
    let shown = |path: PathBuf| path.strip_prefix(".").map_or(path.clone(), Path::to_owned);
    let mut built: Vec<_> = paths.filter(wasm).map(shown).collect();
    built.sort();
    built
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn error(folder: &tempfile::TempDir, asked: Option<&str>) -> String {
        let asked = asked.map(|name| folder.path().join(name));
        plugin(asked.as_deref(), folder.path()).unwrap_err().to_string()
    }

    #[test]
    fn the_only_plugin_or_the_one_with_tests_is_found() {
        let find = |files: &[(&str, &str)]| {
            let folder = folder(files);
            plugin(None, folder.path()).unwrap().strip_prefix(folder.path()).unwrap().to_owned()
        };
        let rust = "target/wasm32-unknown-unknown/release/my.wasm";
        assert_eq!(find(&[(rust, ""), ("build/my.wat", "")]), Path::new(rust));
        let both = [("build/production.wasm", ""), (WITH_TESTS, "")];
        assert_eq!(find(&both), Path::new(WITH_TESTS));
        let tests = "target/wasm32-unknown-unknown/tests/my.wasm";
        assert_eq!(find(&[(rust, ""), (tests, "")]), Path::new(tests));
    }

    #[test]
    fn of_several_plugins_one_must_be_named() {
        let folder = folder(&[("build/a.wasm", ""), ("build/b.wasm", "")]);
        let error = error(&folder, None);
        assert!(error.contains("build/a.wasm, ") && error.contains("build/b.wasm"), "{error}");
    }

    #[test]
    fn a_missing_plugin_comes_with_the_command_that_builds_it() {
        let cargo = "cargo build --release --target wasm32-unknown-unknown";
        for (files, expected) in [
            (&[("package.json", "{}")][..], "npm run asbuild, or npm test"),
            (&[("Cargo.toml", "[package]")], cargo),
            (&[("Cargo.toml", "[features]\ntests = []")], "--features tests"),
            (&[("Makefile", "")], "first: make"),
            (&[], "build it first"),
        ] {
            let folder = folder(files);
            for asked in [None, Some("build/my.wasm"), Some("my.wasm")] {
                let error = error(&folder, asked);
                assert!(error.starts_with("there is no "), "{error}");
                assert!(error.contains(expected), "{error}");
            }
        }
    }
}
