//! Plugins in C.

use anyhow::Result;

use super::Plugin;
use crate::vendor::Files;

pub(super) fn plugin(name: &str, example: &str) -> Result<Plugin> {
    let mut files = Files::default();
    files.copy_all("event-sdk/c/template", "");
    files.copy_all(&format!("plugins/event/c/{example}"), "");
    Ok(Plugin {
        files,
        readme: include_str!("readme/c.md").replace("{name}", name),
        made: &["build"],
        next: vec!["make test".to_owned(), "make".to_owned()],
    })
}
