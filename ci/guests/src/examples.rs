//! Examples that become a plugin's folder only with what their kit puts around them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{Guest, Language, Workshop, files, step};

/// How the folders of a language are completed and compiled.
pub(crate) struct Kit<'a> {
    pub(crate) language: Language,
    /// The compiler, if another one would compile it anew.
    pub(crate) compiler: String,
    /// Writes the kit's sources to `vendor/` in a folder.
    pub(crate) vendor: &'a dyn Fn(&Path) -> Result<()>,
    /// Compiles a folder, and a second time with its tests, to `build/test.wasm`.
    pub(crate) compile: &'a dyn Fn(&Path) -> Result<()>,
    /// Where the former goes.
    pub(crate) product: &'static str,
}

/// Builds each example of a language as it is in the folder of a user: `count`, and with its tests
/// `count-test`.
pub(crate) fn build(workshop: &Workshop, kit: &Kit<'_>) -> Result<Vec<Guest>> {
    let language = kit.language;
    let template = workshop.root.join("event-sdk").join(language.name()).join("template");
    let examples = workshop.root.join("plugins/event").join(language.name());
    let mut guests = Vec::new();
    for example in files::folders(&examples)? {
        let name = files::name(&example)?;
        let folder = workshop.folder.join(language.name()).join(&name);
        put_together(&[&template, &example], &folder)?;
        (kit.vendor)(&folder)?;

        let names = [name.clone(), format!("{name}-test")];
        let [plain, test] = names.clone().map(|name| workshop.output(language, &name));
        let inputs = format!("{} {}", files::hash(&files::under(&folder)?)?, kit.compiler);
        files::unless_fresh(&inputs, &test, || {
            step(&format!("building {}", example.display()));
            (kit.compile)(&folder)?;
            files::install(&folder.join(kit.product), &plain)?;
            files::install(&folder.join("build/test.wasm"), &test)
        })?;
        guests.extend(names.into_iter().zip([plain, test]).map(|(name, file)| Guest {
            language,
            name,
            file,
        }));
    }
    Ok(guests)
}

/// Afresh: what has been removed from a part must not live on.
fn put_together(parts: &[&PathBuf], folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", folder.display()));
        }
        _ => {}
    }
    for part in parts {
        for file in files::under(part)? {
            let path = file.strip_prefix(part).unwrap_or(&file);
            if !is_made(path) {
                files::install(&file, &folder.join(path))?;
            }
        }
    }
    Ok(())
}

/// Whether a path is what a user's own build has left in the checkout.
fn is_made(path: &Path) -> bool {
    ["build", "node_modules", "vendor"].iter().any(|made| path.starts_with(made))
}
