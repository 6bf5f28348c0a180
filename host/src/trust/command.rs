//! `host trust`: what is in a trust file, and changing it.

use super::entry::Entry;
use super::file::TrustFile;
use crate::cli::{TrustArgs, TrustCommand};
use anyhow::{Context, Result, anyhow, bail, ensure};
use host_proxy::native::sha256;
use std::path::Path;
use std::process::ExitCode;

/// Adds, lists or removes.
pub fn run(args: &TrustArgs) -> Result<ExitCode> {
    let path = &args.plugin_trust;
    match &args.command {
        TrustCommand::Add { what } => add(path, what)?,
        TrustCommand::List => list(&TrustFile::read(path)?)?,
        TrustCommand::Remove { what } => remove(path, what)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(path: &Path, what: &[String]) -> Result<()> {
    let mut file = TrustFile::read_or_new(path)?;
    let mut said = Vec::new();
    for word in what {
        let (entry, note) = meant(word)?;
        let described = describe(&entry);
        said.push(match file.add(entry, &note) {
            true => format!("{} allows {described}", path.display()),
            false => format!("{} allows {described} already", path.display()),
        });
    }
    write(&file, path)?;
    for line in said {
        say!("{line}")?;
    }
    Ok(())
}

fn remove(path: &Path, what: &[String]) -> Result<()> {
    let mut file = TrustFile::read(path)?;
    for word in what {
        // The number first: sixteen digits are no hash.
        let by_id = file.remove(|entry| matches!(entry, Entry::Key(key) if key.id == *word));
        if by_id {
            continue;
        }
        let (entry, _) = meant(word)?;
        ensure!(
            file.remove(|there| *there == entry),
            "{} does not have {}; host trust list shows what it has",
            path.display(),
            describe(&entry)
        );
    }
    write(&file, path)?;
    for word in what {
        say!("{} allows {word} no longer", path.display())?;
    }
    Ok(())
}

fn list(file: &TrustFile) -> Result<()> {
    for (entry, note) in file.entries() {
        say!("{}", format!("{}  {note}", describe(entry)).trim_end())?;
    }
    Ok(())
}

fn write(file: &TrustFile, path: &Path) -> Result<()> {
    file.write(path)
        .with_context(|| format!("the trust file {} cannot be written", path.display()))?;
    TrustFile::read(path)?; // what the host would say of it
    Ok(())
}

/// What a word of the command line means, and a note on it: a file goes before what its name may be.
fn meant(word: &str) -> Result<(Entry, String)> {
    let path = Path::new(word);
    if path.is_dir() {
        bail!("{word} is a folder; give each plugin in it");
    }
    if path.try_exists().unwrap_or(true) {
        let content = std::fs::read(path).with_context(|| format!("{word} cannot be read"))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let key = Entry::of_file(&content).map_err(|error| anyhow!("{word} {error}"))?;
        return Ok((key.unwrap_or_else(|| Entry::Hash(sha256(&content))), name));
    }
    let entry =
        Entry::parse(word).map_err(|error| anyhow!("{error}, and there is no such file"))?;
    Ok((entry, String::new()))
}

/// What minisign calls the key, and what the file has.
fn describe(entry: &Entry) -> String {
    match entry {
        Entry::Hash(hash) => format!("sha256 {hash}"),
        Entry::Key(key) => format!("key {} {}", key.id, key.text),
    }
}
