//! Event plugins in Rust.

use anyhow::Result;

use super::Plugin;
use super::package::Package;

pub(super) fn plugin(name: &str, example: &str) -> Result<Plugin> {
    let package = Package::new("plugins/event/rust", example.to_owned());
    let name = &package.free_name(name)?;
    let file = name.replace('-', "_");
    Ok(Plugin {
        files: package.files(name)?,
        readme: include_str!("readme/rust.md").replace("{name}", name).replace("{file}", &file),
        ignored: "/target\n",
        next: vec![
            "rustup target add wasm32-unknown-unknown".to_owned(),
            "cargo test".to_owned(),
            "cargo build --release --target wasm32-unknown-unknown".to_owned(),
        ],
    })
}
