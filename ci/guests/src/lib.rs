//! The WebAssembly plugins of this repository: builds them, in every language, and finds or fetches
//! the compilers that this needs.
//!
//! For `cargo xtask`, which may change the machine, and for the test kit, which must not: see
//! [`Workshop::may_install`].

mod assemblyscript;
mod c;
mod cargo;
mod examples;
mod files;
mod rust;
pub mod toolchain;

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use cargo::outside_of_a_package;

/// A plugin that has been built.
pub struct Guest {
    /// What it is written in.
    pub language: Language,
    /// The name of its folder, as in `count`; built with its tests, `count-test`.
    pub name: String,
    /// The `.wasm` file. It is replaced as a whole, and only by a build that makes another one.
    pub file: PathBuf,
}

/// The languages that there are plugins in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// `plugins/event/rust` and `fixtures/guests/rust`, `plugins/ip-filter`, `fixtures/plugins/both`.
    Rust,
    /// `plugins/event/assemblyscript`.
    AssemblyScript,
    /// `plugins/event/c`.
    C,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rust, Self::AssemblyScript, Self::C];

    /// The name of its folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::AssemblyScript => "assemblyscript",
            Self::C => "c",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the plugins are built.
pub struct Workshop {
    /// The root of the repository.
    root: PathBuf,
    /// Everything that is made, and fetched for this.
    folder: PathBuf,
    may_install: bool,
}

impl Workshop {
    /// For the repository at `root`, in the folder `guests` of cargo's target folder.
    pub fn new(root: impl Into<PathBuf>, target: &Path) -> Self {
        Self { root: root.into(), folder: target.join("guests"), may_install: false }
    }

    /// Whatever is missing may be installed on this machine: a target of rustup, packages of
    /// Debian. Otherwise it is an error that says how to get it.
    #[must_use]
    pub fn may_install(mut self) -> Self {
        self.may_install = true;
        self
    }

    /// Builds what has changed, and returns all plugins of a language.
    ///
    /// `host` is asked for the host's program where that is needed: it writes the classes that
    /// plugins in AssemblyScript are compiled with.
    pub fn build(
        &self,
        language: Language,
        host: impl FnOnce() -> Result<PathBuf>,
    ) -> Result<Vec<Guest>> {
        let _lock = self.lock()?;
        match language {
            Language::Rust => rust::build(self),
            Language::AssemblyScript => assemblyscript::build(self, &host()?),
            Language::C => c::build(self),
        }
        .with_context(|| format!("cannot build the plugins in {language}"))
    }

    /// The folder `node_modules` that plugins in AssemblyScript are compiled with, for a test that
    /// compiles its own.
    pub fn node_modules(&self) -> Result<PathBuf> {
        let _lock = self.lock()?;
        assemblyscript::modules(self).context("cannot get AssemblyScript's compiler")
    }

    /// One build at a time: those of several test processes use the same folders.
    fn lock(&self) -> Result<File> {
        let path = self.folder.join("lock");
        let locked = || {
            fs::create_dir_all(&self.folder)?;
            let file = File::create(&path)?;
            file.lock()?;
            std::io::Result::Ok(file)
        };
        locked().with_context(|| format!("cannot lock {}", path.display()))
    }

    /// Where the `.wasm` of a plugin goes.
    fn output(&self, language: Language, name: &str) -> PathBuf {
        self.folder.join(language.name()).join(name).with_extension("wasm")
    }
}

/// Says on standard error what a slow step is about to do.
fn step(what: &str) {
    eprintln!("==> {what}");
}
