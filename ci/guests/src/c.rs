//! Plugins in C.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::toolchain::{Compiler, quietly};
use crate::{Guest, Language, Workshop, files, step};

const PLUGINS: &str = "plugins/event/c";
/// Where the header is.
const KIT: &str = "event-sdk/c";

/// Builds each plugin, and a second time with its tests, the files `*_test.c`: `skip` and
/// `skip-test`.
pub(crate) fn build(workshop: &Workshop) -> Result<Vec<Guest>> {
    let compiler = Compiler::find(&workshop.folder, workshop.may_install)?;
    let kit = workshop.root.join(KIT);
    let mut guests = Vec::new();
    for folder in files::folders(&workshop.root.join(PLUGINS))? {
        let inputs = [files::under(&folder)?, files::under(&kit)?].concat();
        let key = format!("{} {compiler}", files::hash(&inputs)?);
        let name = files::name(&folder)?;
        for (name, with_tests) in [(name.clone(), false), (format!("{name}-test"), true)] {
            let file = workshop.output(Language::C, &name);
            files::unless_fresh(&key, &file, || {
                step(&format!("building {} by {compiler}", file.display()));
                compile(compiler.command(), &sources(&folder, with_tests)?, &kit, &file)
            })?;
            guests.push(Guest { language: Language::C, name, file });
        }
    }
    Ok(guests)
}

fn sources(folder: &Path, with_tests: bool) -> Result<Vec<PathBuf>> {
    let mut sources = files::entries(folder)?;
    sources.retain(|it| {
        let test = it.file_stem().is_some_and(|it| it.as_encoded_bytes().ends_with(b"_test"));
        it.extension().is_some_and(|it| it == "c") && (with_tests || !test)
    });
    if sources.is_empty() {
        bail!("there is no .c file in {}", folder.display());
    }
    Ok(sources)
}

fn compile(mut compiler: Command, sources: &[PathBuf], kit: &Path, file: &Path) -> Result<()> {
    let made = tempfile::tempdir().context("cannot make a temporary folder")?;
    let made = made.path().join("plugin.wasm");
    compiler
        .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib"])
        .args(["-Wl,--no-entry", "-Wl,--strip-all", "-I"])
        .arg(kit)
        .args(sources)
        .arg("-o")
        .arg(&made);
    quietly(&mut compiler)?;
    files::install(&made, file)
}
