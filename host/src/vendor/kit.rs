//! The kits, and which of them a plugin's folder has.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use toml_edit::DocumentMut;

use super::{Files, Language, assemblyscript_classes, embedded, manifest};

/// What a plugin is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kit {
    /// An event plugin's, by its language.
    Event(Language),
    /// A native plugin's: the interface.
    Native,
}

impl Kit {
    /// What the plugin in a folder is built with, by its files.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let entries = fs::read_dir(folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        let files: Vec<_> = entries.filter_map(|it| Some(it.ok()?.path())).collect();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        let manifest: DocumentMut = manifest.parse().unwrap_or_default();
        let depends = |name| manifest.get("dependencies").is_some_and(|it| it.get(name).is_some());
        if depends("event-sdk") {
            Ok(Self::Event(Language::Rust))
        } else if depends("plugin-interface") {
            Ok(Self::Native)
        } else if files.iter().any(|path| path.ends_with("assembly")) {
            Ok(Self::Event(Language::AssemblyScript))
        } else if files.iter().any(|path| path.extension().is_some_and(|it| it == "c")) {
            Ok(Self::Event(Language::C))
        } else {
            bail!(
                "{} is not the folder of a plugin: it has no Cargo.toml with plugin-interface or \
                 event-sdk, no assembly/ and no .c file; `host new` makes one",
                folder.display()
            )
        }
    }

    /// As people write it: what it is a kit for.
    pub(super) fn name(self) -> String {
        match self {
            Self::Event(language) => language.name().to_owned(),
            Self::Native => "native plugins".to_owned(),
        }
    }

    /// What is in it.
    pub(crate) fn files(self) -> Result<Files> {
        let mut files = Files::default();
        match self {
            Self::Event(Language::Rust) => {
                add_package(&mut files, "event-sdk")?;
                add_package(&mut files, "proto")?;
                files.copy("event-sdk/README.md", "event-sdk/README.md")?;
            }
            Self::Event(Language::AssemblyScript) => {
                files.copy("event-sdk/assemblyscript/README.md", "README.md")?;
                files.copy_all("event-sdk/assemblyscript/vendor", "");
                let classes =
                    assemblyscript_classes().context("the schema in this host is damaged")?;
                files.text("teleport.ts", classes);
            }
            Self::Event(Language::C) => {
                files.copy("event-sdk/c/README.md", "README.md")?;
                files.copy("event-sdk/c/tenon_event.h", "tenon_event.h")?;
            }
            Self::Native => {
                add_package(&mut files, "plugin-interface")?;
                files.copy("plugin-interface/build.rs", "plugin-interface/build.rs")?;
            }
        }
        Ok(files)
    }
}

/// A package that is at the root of the repository, outside of its workspace.
fn add_package(files: &mut Files, name: &str) -> Result<()> {
    let manifest = format!("{name}/Cargo.toml");
    let workspace = embedded::text("Cargo.toml")?;
    let text = manifest::outside_of_workspace(embedded::text(&manifest)?, workspace)
        .with_context(|| format!("{manifest} in this host cannot be used"))?;
    files.text(manifest, text);
    files.copy_all(&format!("{name}/src"), format!("{name}/src"));
    Ok(())
}
