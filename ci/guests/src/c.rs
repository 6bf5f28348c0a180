//! Plugins in C.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::examples::{self, Kit};
use crate::toolchain::{Compiler, quietly};
use crate::{Guest, Language, Workshop, files};

pub(crate) fn build(workshop: &Workshop) -> Result<Vec<Guest>> {
    let compiler = Compiler::find(&workshop.folder, workshop.may_install)?;
    let header = workshop.root.join("event-sdk/c/tenon_event.h");
    let kit = Kit {
        language: Language::C,
        compiler: compiler.to_string(),
        vendor: &|folder| files::install(&header, &folder.join("vendor/tenon_event.h")),
        compile: &|folder| compile(folder, &compiler),
        product: "build/plugin.wasm",
    };
    examples::build(workshop, &kit)
}

fn compile(folder: &Path, compiler: &Compiler) -> Result<()> {
    let mut make = Command::new("make");
    make.arg("--directory").arg(folder).arg(format!("COMPILE={compiler}"));
    quietly(make.args(["build/plugin.wasm", "build/test.wasm"]))
}
