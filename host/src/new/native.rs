//! Native plugins: shared libraries, in Rust.

use anyhow::Result;

use super::Plugin;
use super::package::Package;
use super::start::{Place, point_name};
use crate::cli::Point;

const STARTERS: &str = "plugins/starters";

/// A plugin that runs before or after authentication.
pub(super) fn middleware(name: &str, place: Place, example: &str) -> Result<Plugin> {
    let place = place.name();
    let readme = include_str!("readme/middleware.md").replace("{place}", place);
    plugin(name, &format!("{place}/{example}"), &readme)
}

/// A plugin that replaces a part of the host.
pub(super) fn patch(name: &str, point: Point) -> Result<Plugin> {
    let point = point_name(point);
    let readme = include_str!("readme/patch.md").replace("{point}", point);
    let folder = format!("patch/{point}");
    let mut plugin = plugin(name, &folder, &readme)?;
    plugin.files.copy(&format!("{STARTERS}/{folder}/host.toml"), "host.toml")?;
    Ok(plugin)
}

fn plugin(name: &str, folder: &str, readme: &str) -> Result<Plugin> {
    let package = Package::new(STARTERS, folder.to_owned());
    let name = &package.free_name(name)?;
    let mut files = package.files(name)?;
    files.copy(&format!("{STARTERS}/{folder}/config.json"), "config.json")?;
    files.copy_all(&format!("{STARTERS}/tests"), "tests");
    Ok(Plugin {
        files,
        readme: readme
            .replace("{name}", name)
            .replace("{file}", &name.replace('-', "_"))
            .replace("{rust}", env!("CARGO_PKG_RUST_VERSION")),
        ignored: "/target\n",
        next: vec!["cargo test".to_owned(), "cargo build --release".to_owned()],
    })
}
