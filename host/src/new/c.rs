//! Plugins in C.

use super::Plugin;
use crate::vendor::Files;

pub(super) fn plugin(name: &str, example: &str) -> Plugin {
    let mut files = Files::default();
    files.copy_all("event-sdk/c/template", "");
    files.copy_all(&format!("plugins/event/c/{example}"), "");
    Plugin {
        files,
        readme: include_str!("readme/c.md").replace("{name}", name),
        ignored: "/build\n",
        next: vec!["make test".to_owned(), "make".to_owned()],
    }
}
