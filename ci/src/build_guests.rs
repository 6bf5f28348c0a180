//! `cargo xtask build-guests`

use std::path::PathBuf;

use anyhow::Result;
use guests::{Guest, Language, Workshop};

use crate::build::list;
use crate::{cargo, step};

/// Build the plugins for WebAssembly, and get the compilers that are missing.
///
/// Rust needs the target wasm32-unknown-unknown, from rustup or from Debian's packages (the
/// environment variable `TENON_WASM_TOOLCHAIN` chooses), AssemblyScript needs Node.js, C needs
/// clang with lld, or zig. What is missing is installed where this can be done without a question.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only those in one language: rust, assemblyscript or c
    #[arg(value_parser = language)]
    language: Option<Language>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let languages = options.language.map_or(Language::ALL.to_vec(), |one| vec![one]);
    let host = || {
        step("building the host, which writes the classes for AssemblyScript");
        let artefacts = cargo::build(cargo::cargo().args(["build", "--package", "host"]))?;
        cargo::find(&artefacts, "host")
    };
    for guest in build(&languages, host)? {
        list(&guest.file)?;
    }
    Ok(())
}

/// Builds the plugins in these languages; `host` is asked for the host's program if one needs it.
pub(crate) fn build(
    languages: &[Language],
    host: impl Fn() -> Result<PathBuf>,
) -> Result<Vec<Guest>> {
    let workshop = Workshop::new(cargo::root(), &cargo::target_directory()?).may_install();
    let mut guests = Vec::new();
    for language in languages {
        guests.extend(workshop.build(*language, &host)?);
    }
    Ok(guests)
}

fn language(name: &str) -> Result<Language, String> {
    let found = Language::ALL.into_iter().find(|it| it.name() == name);
    found.ok_or_else(|| format!("there are: {}", Language::ALL.map(Language::name).join(", ")))
}
