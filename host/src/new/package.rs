//! Plugins in Rust.

use anyhow::{Context, Result};
use toml_edit::{DocumentMut, value};

use super::{Plugin, examples};
use crate::vendor::{Files, Language, embedded};

const EXAMPLES: &str = "plugins/event/rust";

const WORKSPACE: &str = "
# Of its own, wherever this folder is. What is in vendor/ belongs to the kit.
[workspace]
exclude = [\"vendor\"]
";

pub(super) fn plugin(name: &str, example: &str) -> Result<Plugin> {
    let lock = embedded::text(&format!("{EXAMPLES}/Cargo.lock"))?;
    let name = &free_name(name, lock);
    let mut files = Files::default();
    let manifest = manifest(name, example).context("an example's manifest cannot be used")?;
    files.text("Cargo.toml", manifest);
    files.text("Cargo.lock", with_package(lock, name));
    files.copy_all(&format!("{EXAMPLES}/{example}/src"), "src");
    let file = name.replace('-', "_");
    Ok(Plugin {
        files,
        readme: include_str!("readme/rust.md").replace("{name}", name).replace("{file}", &file),
        ignored: "/target\n",
        next: vec![
            "rustup target add wasm32-unknown-unknown".to_owned(),
            "cargo test".to_owned(),
            "cargo build --release --target wasm32-unknown-unknown".to_owned(),
        ],
    })
}

/// The example's manifest, outside of the workspace of examples but with its profiles.
fn manifest(name: &str, example: &str) -> Result<String> {
    let read = |path: String| -> Result<DocumentMut> { Ok(embedded::text(&path)?.parse()?) };
    let mut manifest = read(format!("{EXAMPLES}/{example}/Cargo.toml"))?;
    let mut profiles = read(format!("{EXAMPLES}/Cargo.toml"))?;
    manifest["package"]["name"] = value(name);
    manifest["dependencies"]["event-sdk"]["path"] = value("vendor/event-sdk");
    profiles.remove("workspace");
    Ok(format!("{manifest}{WORKSPACE}{profiles}"))
}

/// The lock file of the examples, with this package in their place: a new plugin begins with the
/// versions that they were tested with.
fn with_package(lock: &str, name: &str) -> String {
    let package = format!("[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
    let package = format!("{package}dependencies = [\n \"event-sdk\",\n]");
    let mut blocks = lock.trim_end().split("\n\n");
    let head = blocks.next().unwrap_or_default();
    let examples = examples(Language::Rust);
    let mut packages: Vec<_> =
        blocks.filter(|it| package_name(it).is_none_or(|it| !examples.contains(&it))).collect();
    packages.push(&package);
    packages.sort_unstable();
    format!("{head}\n\n{}\n", packages.join("\n\n"))
}

/// A package cannot be called like one that it depends on.
fn free_name(name: &str, lock: &str) -> String {
    let examples = examples(Language::Rust);
    let mut taken = lock.split("\n\n").filter_map(package_name);
    match taken.any(|it| it == name) && !examples.contains(&name) {
        true => format!("{name}-plugin"),
        false => name.to_owned(),
    }
}

fn package_name(block: &str) -> Option<&str> {
    block.strip_prefix("[[package]]\nname = \"")?.split('"').next()
}
