//! `host event-handler configure`: everything that is needed between a cluster and fluentd.

mod certificates;
mod texts;

use crate::Usage;
use crate::cli::ConfigureArgs;
use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The lock permission is among what the role allows: `host event-handler start` makes locks.
const ROLE: &str = "teleport-event-handler-role.yaml";
const FLUENTD: &str = "fluent.conf";
const HANDLER: &str = "teleport-event-handler.toml";

/// Writes the files, and says what to do with them.
pub(super) fn run(args: &ConfigureArgs) -> Result<ExitCode> {
    let names = [&args.ca, &args.server, &args.client];
    for (index, name) in names.iter().enumerate() {
        if name.is_empty() || name.starts_with('.') || name.contains('/') {
            return Err(Usage(format!("{name:?} cannot be the name of a file")).into());
        }
        if names[..index].contains(name) {
            return Err(Usage(format!("two certificates are called {name:?}")).into());
        }
    }
    let folder = std::path::absolute(&args.out)?;
    let pairs = certificates::make(args)?;
    let mut files = Vec::new();
    for (name, pair) in names.iter().zip(pairs) {
        files.push((format!("{name}.crt"), pair.certificate));
        files.push((format!("{name}.key"), pair.key));
    }
    files.push((ROLE.to_owned(), texts::role()));
    files.push((FLUENTD.to_owned(), texts::fluentd(args)));
    files.push((HANDLER.to_owned(), texts::handler(args, &folder)));
    std::fs::create_dir_all(&folder).with_context(|| cannot(&folder))?;
    let there: Vec<PathBuf> = files.iter().map(|(name, _)| folder.join(name)).collect();
    if let Some(path) = there.iter().find(|path| !args.force && path.exists()) {
        let text = format!("{} is there already; --force replaces it", path.display());
        return Err(Usage(text).into());
    }
    for (name, text) in &files {
        write(&folder.join(name), text, args.force)?;
    }
    let next = texts::next(&folder, args, files.iter().map(|(name, _)| name.as_str()));
    say!("{}", next.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Each file is this user's alone, as most of them have keys.
fn write(path: &Path, text: &str, force: bool) -> Result<()> {
    if force && path.exists() {
        // Not opened again, as it may be open to others.
        std::fs::remove_file(path).with_context(|| cannot(path))?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| cannot(path))?;
    file.write_all(text.as_bytes()).with_context(|| cannot(path))?;
    file.sync_all().with_context(|| cannot(path))
}

fn cannot(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}
