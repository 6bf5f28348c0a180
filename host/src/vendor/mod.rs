//! `host vendor`, and the part of `host new` that is the same for every plugin of a kind and
//! language: the kit, in the folder `vendor`.

mod assemblyscript;
pub(crate) mod embedded;
mod files;
mod kit;
mod language;
mod manifest;

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::VendorArgs;

pub use assemblyscript::assemblyscript_classes;
pub(crate) use files::Files;
pub(crate) use kit::Kit;
pub use language::Language;

/// Brings the kit in a plugin's folder up to date.
pub fn run(args: &VendorArgs) -> Result<ExitCode> {
    let kit = Kit::of(&args.dir)?;
    let files = kit.files()?;
    let folder = args.dir.join("vendor");
    let renewed = files.renew(&folder)?;
    say!(
        "{}: the kit for {}, {renewed} of {} files renewed",
        folder.display(),
        kit.name(),
        files.len()
    )?;
    Ok(ExitCode::SUCCESS)
}
