//! Plugins in C.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::toolchain::{Compiler, quietly};
use crate::{Guest, Language, Workshop, files, step};

const PLUGINS: &str = "plugins/event/c";
/// Where the header is.
const KIT: &str = "event-sdk/c";

pub(crate) fn build(workshop: &Workshop) -> Result<Vec<Guest>> {
    let compiler = Compiler::find(&workshop.folder, workshop.may_install)?;
    let kit = workshop.root.join(KIT);
    let mut guests = Vec::new();
    for folder in files::folders(&workshop.root.join(PLUGINS))? {
        let name = files::name(&folder)?;
        let file = workshop.output(Language::C, &name);
        let inputs = [files::under(&folder)?, files::under(&kit)?].concat();
        let key = format!("{} {compiler}", files::hash(&inputs)?);
        files::unless_fresh(&key, &file, || {
            step(&format!("building {} by {compiler}", folder.display()));
            compile(compiler.command(), &folder, &kit, &file)
        })?;
        guests.push(Guest { language: Language::C, name, file });
    }
    Ok(guests)
}

fn compile(mut compiler: Command, folder: &Path, kit: &Path, file: &Path) -> Result<()> {
    let mut sources = files::entries(folder)?;
    sources.retain(|it| it.extension().is_some_and(|it| it == "c"));
    if sources.is_empty() {
        bail!("there is no .c file in {}", folder.display());
    }
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
