//! Plugins in AssemblyScript.

use std::os::unix::fs::symlink;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};

use crate::examples::{self, Kit};
use crate::toolchain::{node, quietly};
use crate::{Guest, Language, Workshop};

/// `host` writes the kit with the classes that it makes from its schema.
pub(crate) fn build(workshop: &Workshop, host: &Path) -> Result<Vec<Guest>> {
    let modules = modules(workshop)?;
    let kit = Kit {
        language: Language::AssemblyScript,
        compiler: String::new(), // the lock file, which is hashed with the rest, says which
        vendor: &|folder| quietly(Command::new(host).arg("vendor").arg(folder)),
        compile: &|folder| compile(folder, &modules),
        product: "build/production.wasm",
    };
    examples::build(workshop, &kit)
}

/// The compiler, as the template's lock file has it.
pub(crate) fn modules(workshop: &Workshop) -> Result<PathBuf> {
    node::provide(workshop.may_install)?;
    let template = workshop.root.join("event-sdk/assemblyscript/template");
    node::modules(&template, &workshop.folder.join("npm"))
}

fn compile(folder: &Path, modules: &Path) -> Result<()> {
    let link = folder.join("node_modules");
    symlink(modules, &link).with_context(|| format!("cannot make {}", link.display()))?;
    let tests = "asc vendor/plugin_test.ts --config asconfig.json --target test";
    let mut commands = [node::npm(folder), node::npm(folder)];
    commands[0].args(["run", "asbuild"]);
    commands[1].args(["exec", "--offline", "--call", tests]);
    // Side by side: each takes seconds, on one core.
    let results = thread::scope(|scope| {
        let running = commands.each_mut().map(|command| scope.spawn(|| quietly(command)));
        running.map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    results.into_iter().collect()
}
