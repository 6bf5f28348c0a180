//! Plugins in AssemblyScript.

use anyhow::Result;

use super::Plugin;
use crate::vendor::{Files, embedded};

const TEMPLATE: &str = "event-sdk/assemblyscript/template";
/// The package's name in the template, as it is quoted there.
const NAME: &str = "\"event-plugin\"";

pub(super) fn plugin(name: &str, example: &str) -> Result<Plugin> {
    // npm does not install a package into one of the same name.
    let name = if name == "assemblyscript" { "assemblyscript-plugin" } else { name };
    let mut files = Files::default();
    files.copy_all(TEMPLATE, "");
    for file in ["package.json", "package-lock.json"] {
        let text = embedded::text(&format!("{TEMPLATE}/{file}"))?;
        files.text(file, text.replace(NAME, &format!("\"{name}\"")));
    }
    files.copy_all(&format!("plugins/event/assemblyscript/{example}"), "");
    Ok(Plugin {
        files,
        readme: include_str!("readme/assemblyscript.md").replace("{name}", name),
        ignored: "/build\n/node_modules\n",
        next: vec!["npm test".to_owned(), "npm run asbuild".to_owned()],
    })
}
