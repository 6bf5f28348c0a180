//! The languages that there is a kit for.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

/// What an event plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Typed events, tests also without the host
    Rust,
    /// Like TypeScript; needs Node.js
    #[value(name = "assemblyscript")]
    AssemblyScript,
    /// One header; events as JSON
    C,
}

impl Language {
    /// What the plugin in a folder is written in, by its files.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let entries = fs::read_dir(folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        let files: Vec<_> = entries.filter_map(|it| Some(it.ok()?.path())).collect();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        if manifest.contains("event-sdk") {
            Ok(Self::Rust)
        } else if files.iter().any(|path| path.ends_with("assembly")) {
            Ok(Self::AssemblyScript)
        } else if files.iter().any(|path| path.extension().is_some_and(|it| it == "c")) {
            Ok(Self::C)
        } else {
            bail!(
                "{} is not the folder of an event plugin: it has no Cargo.toml with event-sdk, no \
                 assembly/ and no .c file; `host new` makes one",
                folder.display()
            )
        }
    }

    /// The name of its folders in the repository.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::AssemblyScript => "assemblyscript",
            Self::C => "c",
        }
    }

    /// As people write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::AssemblyScript => "AssemblyScript",
            Self::C => "C",
        }
    }
}
