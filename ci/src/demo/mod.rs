//! `cargo xtask demo`

mod client;
mod file;
mod tour;

use std::path::PathBuf;

use anyhow::{Context, Result};

use guests::Language;

use crate::{build_guests, cargo, service, step};

/// Build everything, start it, and show what it does with real requests.
///
/// Every answer is checked: the demo fails if one is not what it should be. Afterwards the host
/// stays up for requests of your own until Ctrl-C. It listens on 127.0.0.1 only and keeps its
/// state in a temporary folder.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// End after the tour
    #[arg(long)]
    once: bool,
    /// Port of the host; 0 is any free one, a new one each time the tour restarts the host
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
}

/// What the tour runs, as cargo has built it.
struct Built {
    host: PathBuf,
    pre_plugin: PathBuf,
    post_plugin: PathBuf,
    reverse_proxy: PathBuf,
    /// The event plugin that counts failed logins.
    lockout: PathBuf,
    /// The one that skips the logins of a user.
    skip: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let built = build()?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    service::until_interrupted(tour::show(&built, folder.path(), options)).map(|_| ())
}

fn build() -> Result<Built> {
    step("building the host, two plugins and a patch (release); the first time takes minutes");
    let packages = ["-p=host", "-p=pre-plugin", "-p=post-plugin", "-p=reverse-proxy-patch"];
    let artefacts = cargo::build(cargo::cargo().args(["build", "--release"]).args(packages))?;
    let host = cargo::find(&artefacts, "host")?;
    let guests = build_guests::build(&[Language::Rust], || Ok(host.clone()))?;
    let guest = |name: &str| {
        let guest = guests.iter().find(|guest| guest.name == name);
        guest
            .map(|guest| guest.file.clone())
            .with_context(|| format!("there is no event plugin {name}"))
    };
    let (lockout, skip) = (guest("count")?, guest("skip")?);
    Ok(Built {
        host,
        pre_plugin: cargo::find(&artefacts, "pre_plugin")?,
        post_plugin: cargo::find(&artefacts, "post_plugin")?,
        reverse_proxy: cargo::find(&artefacts, "reverse_proxy")?,
        lockout,
        skip,
    })
}
