//! `host vendor`, and the part of `host new` that is the same for every plugin of a language: the
//! kit, in the folder `vendor`.

mod assemblyscript;
pub(crate) mod embedded;
mod files;
mod language;
mod manifest;

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cli::VendorArgs;

pub use assemblyscript::assemblyscript_classes;
pub(crate) use files::Files;
pub use language::Language;

/// The packages of the kit for Rust, which are all at the root of the repository.
const CRATES: [&str; 2] = ["event-sdk", "proto"];

/// Brings the kit in a plugin's folder up to date.
pub fn run(args: &VendorArgs) -> Result<ExitCode> {
    let language = Language::of(&args.dir)?;
    let kit = kit(language)?;
    let folder = args.dir.join("vendor");
    let renewed = kit.renew(&folder)?;
    println!(
        "{}: the kit for {}, {renewed} of {} files renewed",
        folder.display(),
        language.name(),
        kit.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// The kit for a language.
pub(crate) fn kit(language: Language) -> Result<Files> {
    let mut files = Files::default();
    match language {
        Language::Rust => {
            let workspace = embedded::text("Cargo.toml")?;
            for name in CRATES {
                let manifest = format!("{name}/Cargo.toml");
                let text = manifest::outside_of_workspace(embedded::text(&manifest)?, workspace)
                    .with_context(|| format!("{manifest} in this host cannot be used"))?;
                files.text(manifest, text);
                files.copy_all(&format!("{name}/src"), format!("{name}/src"));
            }
            files.copy("event-sdk/README.md", "event-sdk/README.md")?;
        }
        Language::AssemblyScript => {
            files.copy("event-sdk/assemblyscript/README.md", "README.md")?;
            files.copy_all("event-sdk/assemblyscript/vendor", "");
            let classes = assemblyscript_classes().context("the schema in this host is damaged")?;
            files.text("teleport.ts", classes);
        }
        Language::C => {
            files.copy("event-sdk/c/README.md", "README.md")?;
            files.copy("event-sdk/c/tenon_event.h", "tenon_event.h")?;
        }
    }
    Ok(files)
}
